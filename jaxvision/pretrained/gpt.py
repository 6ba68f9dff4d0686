"""Weights of GPT and GPT-2 as Hugging Face's transformers name them.

Their kernels are [in, out], those of queries, keys and values side by side. Files of the
bare model, without `transformer.` before each name, with buffers of the causal mask or with the
tied output layer are read, too.
"""

import dataclasses
import re
from collections.abc import Mapping

import numpy as np
from flax import linen as nn

from jaxvision.models.sequence.gpt import GPT, VARIANTS, gpt
from jaxvision.pretrained.family import Family, Source, State, Weights
from jaxvision.pretrained.layout import SAME, Layout
from jaxvision.pretrained.names import Rules
from jaxvision.pretrained.recurrent import tokens

_PREFIX = "transformer."
_TABLES = ("wte.weight", "tokens_embed.weight")
_PACKED = ("q", "k", "v")
_BLOCKS: Rules = (
    ("^stack/layer{layer}/", "transformer/h/{layer-1}/"),
    ("/attention/query/", "/attn/q/"),
    ("/attention/key/", "/attn/k/"),
    ("/attention/value/", "/attn/v/"),
    ("/attention/out/", "/attn/c_proj/"),
    ("/attention_norm/", "/ln_1/"),
    ("/feed_forward/expand/", "/mlp/c_fc/"),
    ("/feed_forward/reduce/", "/mlp/c_proj/"),
    ("/feed_forward_norm/", "/ln_2/"),
    ("^stack/norm/", "transformer/ln_f/"),
    ("/(?:kernel|scale)$", "/weight"),
)
_GPT1: Rules = (
    ("^embedding/embedding$", "transformer/tokens_embed/weight"),
    ("^positions/positions$", "transformer/positions_embed/weight"),
)
_GPT2: Rules = (
    ("^embedding/embedding$", "transformer/wte/weight"),
    ("^positions/positions$", "transformer/wpe/weight"),
)


def sources(name: str) -> tuple[Source, ...]:
    """Returns the names of a variant's weights."""
    return (_source(name.startswith("gpt2"), num_heads=1),)


def build(name: str, weights: Weights) -> GPT:
    """Builds the variant with the sizes that the weights have; its heads, they do not tell."""
    table, positions = weights.get("embedding/embedding"), weights.get("positions/positions")
    hidden = weights.get("stack/layer1/feed_forward/expand/bias")
    if table is None or positions is None or hidden is None:
        return gpt(name, vocabulary_size=50_257)
    layers = {match[1] for key in weights.state if (match := re.search(r"\.h\.(\d+)\.", key))}
    return gpt(
        name,
        vocabulary_size=len(table),
        features=table.shape[1],
        hidden=len(hidden),
        num_layers=len(layers),
        max_length=len(positions),
    )


def with_heads(model: nn.Module, weights: Weights) -> Weights:
    """Returns the weights as those of attention with the model's number of heads."""
    if not isinstance(model, GPT):
        raise ValueError(f"the model must be a GPT, got {type(model).__name__}")
    return dataclasses.replace(weights, source=_source(model.pre_norm, model.num_heads))


def _source(pre_norm: bool, num_heads: int) -> Source:
    # Ours are [D, heads, C], [heads, C] and [heads, C, D].
    kernel = Layout(
        lambda tensor: tensor.reshape(len(tensor), num_heads, -1),
        lambda array: array.reshape(len(array), -1),
    )
    bias = Layout(lambda tensor: tensor.reshape(num_heads, -1), lambda array: array.reshape(-1))
    out = Layout(
        lambda tensor: tensor.reshape(num_heads, -1, tensor.shape[-1]),
        lambda array: array.reshape(-1, array.shape[-1]),
    )
    return Source(
        "transformers",
        (*(_GPT2 if pre_norm else _GPT1), *_BLOCKS),
        layouts=(
            (r".*/(query|key|value)/kernel", kernel),
            (r".*/(query|key|value)/bias", bias),
            (r".*/out/kernel", out),
        ),
        layout=SAME,
        unpack=_unpack,
        pack=_pack,
    )


def _unpack(state: State) -> State:
    """Takes the packed projections apart, and drops what is computed or tied."""
    unpacked: dict[str, np.ndarray] = {}
    for name, value in state.items():
        if name == "lm_head.weight" and _is_tied(value, state):
            continue
        full = name if name.startswith((_PREFIX, "lm_head.")) else _PREFIX + name
        prefix, packed, leaf = full.rpartition("c_attn.")
        if packed:
            for letter, part in zip(_PACKED, np.split(value, 3, axis=-1), strict=True):
                unpacked[f"{prefix}{letter}.{leaf}"] = part
        elif not full.endswith((".attn.bias", ".attn.masked_bias")):
            unpacked[full] = value
    return unpacked


def _is_tied(value: np.ndarray, state: Mapping[str, np.ndarray]) -> bool:
    names = [prefix + name for prefix in ("", _PREFIX) for name in _TABLES]
    return any(name in state and np.array_equal(value, state[name]) for name in names)


def _pack(state: State) -> State:
    """Joins queries, keys and values side by side."""
    packed: dict[str, np.ndarray] = {}
    for name, value in state.items():
        head, _, leaf = name.rpartition(".")
        if head.endswith(".attn.q"):
            parts = [state[f"{head[:-1]}{letter}.{leaf}"] for letter in _PACKED]
            packed[f"{head[:-1]}c_attn.{leaf}"] = np.concatenate(parts, axis=-1)
        elif not head.endswith((".attn.k", ".attn.v")):
            packed[name] = value
    return packed


FAMILY = Family(tuple(VARIANTS), sources, build, inputs=tokens, resize=with_heads)
