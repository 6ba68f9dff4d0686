"""Weights of PyTorch's `nn.Transformer`, which has neither embeddings nor logits, and back."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.models.sequence.transformer import EncoderDecoder
from jaxvision.pretrained.family import Source, State, Weights
from jaxvision.pretrained.layout import Layout
from jaxvision.pretrained.names import Rules
from jaxvision.pretrained.variables import to_state, to_variables

_PACKED = ("q", "k", "v")
_RULES: Rules = (
    ("/query/", "/in_proj_q_"),
    ("/key/", "/in_proj_k_"),
    ("/value/", "/in_proj_v_"),
    ("/out/", "/out_proj/"),
    ("/cross_attention/", "/multihead_attn/"),
    ("/attention/", "/self_attn/"),
    ("/feed_forward/expand/", "/linear1/"),
    ("/feed_forward/reduce/", "/linear2/"),
    ("/attention_norm/", "/norm1/"),
    ("^{layer:encoder.*}/feed_forward_norm/", "{layer}/norm2/"),
    ("/cross_attention_norm/", "/norm2/"),
    ("/feed_forward_norm/", "/norm3/"),
    ("/layer{layer}/", "/layers/{layer-1}/"),
    ("(?:kernel|scale)$", "weight"),
)


def load_stacks(
    state: Mapping[str, np.ndarray], *, num_heads: int, pre_norm: bool = False
) -> tuple[EncoderDecoder, dict[str, Any]]:
    """Builds the stacks that a `nn.Transformer` with ReLU has, and fills them with its weights.

    Args:
        state: Its state dict as numpy arrays.
        num_heads: `nhead`, which the weights do not contain.
        pre_norm: `norm_first`.

    Returns:
        The module and its variables.

    Raises:
        ValueError: If names or shapes of the weights are others; the message lists them.
    """
    size = "encoder.layers.0.linear1.weight"
    if size not in state:
        raise ValueError(f"the weights must be of a nn.Transformer, got none named {size}")
    hidden, features = state[size].shape
    model = EncoderDecoder(
        features,
        hidden,
        num_heads,
        (_layers(state, "encoder"), _layers(state, "decoder")),
        pre_norm=pre_norm,
        attention_bias="encoder.layers.0.self_attn.in_proj_bias" in state,
    )
    x, valid = jnp.zeros((1, 2, features)), jnp.ones((1, 2), bool)
    template = jax.eval_shape(
        lambda: model.init(jax.random.key(0), x, x, valid, valid, train=False)
    )
    source = _source(num_heads)
    return model, to_variables(template, Weights(source, source.unpack(state)))


def export_stacks(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Writes the variables of an `EncoderDecoder` as a `nn.Transformer`'s, `load_stacks` inverted.

    Args:
        variables: {"params"} of the stacks.

    Returns:
        The state dict as numpy arrays.

    Raises:
        ValueError: If two variables have one name.
    """
    source = _source(num_heads=1)  # Exporting reads it from the arrays.
    packed = source.pack(to_state(variables, source))
    return {name: np.asarray(value, order="C") for name, value in packed.items()}


def _source(num_heads: int) -> Source:
    # Ours are [D, heads, C], [heads, C] and [heads, C, D], PyTorch's two axes and one.
    kernel = Layout(
        lambda tensor: tensor.reshape(num_heads, -1, tensor.shape[-1]).transpose(2, 0, 1),
        lambda array: array.reshape(len(array), -1).T,
    )
    bias = Layout(lambda tensor: tensor.reshape(num_heads, -1), lambda array: array.reshape(-1))
    out = Layout(
        lambda tensor: tensor.T.reshape(num_heads, -1, len(tensor)),
        lambda array: array.reshape(-1, array.shape[-1]).T,
    )
    return Source(
        "torch",
        _RULES,
        layouts=(
            (r".*/(query|key|value)/kernel", kernel),
            (r".*/(query|key|value)/bias", bias),
            (r".*/out/kernel", out),
        ),
        unpack=_unpack,
        pack=_pack,
    )


def _layers(state: Mapping[str, np.ndarray], stack: str) -> int:
    return len({name.split(".")[2] for name in state if name.startswith(f"{stack}.layers.")})


def _unpack(state: State) -> State:
    """Takes attention's three packed projections apart."""
    unpacked = {}
    for name, value in state.items():
        prefix, packed, leaf = name.rpartition("in_proj_")
        if packed:
            for letter, part in zip(_PACKED, np.split(value, 3), strict=True):
                unpacked[f"{prefix}in_proj_{letter}_{leaf}"] = part
        else:
            unpacked[name] = value
    return unpacked


def _pack(state: State) -> State:
    """Joins queries, keys and values as they are packed."""
    packed = {}
    for name, value in state.items():
        if "in_proj_q_" in name:
            parts = [state[name.replace("in_proj_q_", f"in_proj_{p}_")] for p in _PACKED]
            packed[name.replace("in_proj_q_", "in_proj_")] = np.concatenate(parts)
        elif "in_proj_" not in name:
            packed[name] = value
    return packed
