"""ViT weights of Google's big_vision and of vision_transformer, the paper's own, in Flax's layout.

Queries, keys and values are three tensors [D, heads, C] where ours is one kernel [D, 3 * D]. Files
may have a prefix before every parameter, beside an optimiser's state, and may hold all blocks
stacked in one tensor; both are read, and not written.
"""

import functools
import math
import re

import numpy as np

from jaxvision.pretrained.family import Source, State
from jaxvision.pretrained.layout import SAME
from jaxvision.pretrained.names import Rules

_PREFIX = re.compile(r"^((?:opt/target/)?(?:params/)?)embedding/kernel$")
_PARTS = ("query", "key", "value")


def _rules(norm: str, attention: str, mlp: str, position: str) -> Rules:
    return (
        ("^backbone/", ""),
        ("^class_token$", "cls"),
        ("^position_embedding$", position),
        ("^patch_embedding/", "embedding/"),
        ("^block{block}/", "Transformer/encoderblock_{block-1}/"),
        ("^norm/", "Transformer/encoder_norm/"),
        ("/attention_norm/", "/LayerNorm_0/"),
        ("/mlp_norm/", f"/{norm}/"),
        ("/attention/", f"/{attention}/"),
        ("/mlp/expand/", f"/{mlp}/Dense_0/"),
        ("/mlp/project/", f"/{mlp}/Dense_1/"),
    )


def vision_transformer(heads: int) -> Source:
    """Returns the names of the paper's files, which number the four layers of a block on.

    Args:
        heads: Heads of attention.
    """
    rules = _rules(
        "LayerNorm_2",
        "MultiHeadDotProductAttention_1",
        "MlpBlock_3",
        "Transformer/posembed_input/pos_embedding",
    )
    return Source(
        "vision_transformer",
        rules,
        layout=SAME,
        known_by=r"/MultiHeadDotProductAttention_1/",
        separator="/",
        unpack=_unpack,
        pack=functools.partial(_split_heads, heads=heads),
    )


def big_vision(heads: int) -> Source:
    """Returns the names of big_vision, which numbers the layers of a kind.

    Args:
        heads: Heads of attention.
    """
    rules = _rules("LayerNorm_1", "MultiHeadDotProductAttention_0", "MlpBlock_0", "pos_embedding")
    return Source(
        "big_vision",
        rules,
        layout=SAME,
        known_by=_PREFIX.pattern,
        separator="/",
        unpack=lambda state: _add_token_position(_unpack(state)),
        pack=lambda state: _drop_token_position(_split_heads(state, heads=heads)),
    )


def _unpack(state: State) -> State:
    """Removes the prefix and the optimiser, unstacks blocks, and joins queries, keys and values."""
    prefix = next((match[1] for key in state if (match := _PREFIX.match(key))), "")
    tensors = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    for key in [k for k in tensors if k.startswith("Transformer/encoderblock/")]:
        for i, value in enumerate(tensors.pop(key)):
            tensors[key.replace("encoderblock/", f"encoderblock_{i}/")] = value
    for key in [k for k in tensors if re.search(r"/query/(kernel|bias)$", k)]:
        names = [key.replace("/query/", f"/{part}/") for part in _PARTS]
        if all(name in tensors for name in names):
            # Kernels are [D, heads, C], biases [heads, C].
            parts = [tensors.pop(name) for name in names]
            flat = [p.reshape(*p.shape[:-2], -1) for p in parts]
            tensors[key.replace("/query/", "/qkv/")] = np.concatenate(flat, axis=-1)
    for key in [k for k in tensors if re.search(r"/MultiHead\w+/out/kernel$", k)]:
        # [heads, C, D].
        tensors[key] = tensors[key].reshape(-1, tensors[key].shape[-1])
    return tensors


def _split_heads(state: State, *, heads: int) -> State:
    """Splits queries, keys and values, and gives them and the output an axis of heads."""
    tensors = {}
    for key, value in state.items():
        if "/qkv/" in key:
            for part, piece in zip(_PARTS, np.split(value, 3, axis=-1), strict=True):
                by_head = piece.reshape(*piece.shape[:-1], heads, -1)
                tensors[key.replace("/qkv/", f"/{part}/")] = by_head
        elif re.search(r"/MultiHead\w+/out/kernel$", key):
            tensors[key] = value.reshape(heads, -1, value.shape[-1])
        else:
            tensors[key] = value
    return tensors


def _add_token_position(state: State) -> State:
    """Gives a class token, which is put before patches that have positions already, zeros."""
    positions = state.get("pos_embedding")
    if (
        positions is None
        or "cls" not in state
        or math.isqrt(positions.shape[1]) ** 2 != (positions.shape[1])
    ):
        return state
    padded = np.concatenate([np.zeros_like(positions[:, :1]), positions], axis=1)
    return {**state, "pos_embedding": padded}


def _drop_token_position(state: State) -> State:
    positions = state.get("pos_embedding")
    if positions is None or "cls" not in state:
        return state
    if positions[:, :1].any():
        raise ValueError(
            "big_vision's class token has no position, the variables' has: "
            'export to source="vision_transformer"'
        )
    return {**state, "pos_embedding": positions[:, 1:]}
