"""Weights of PyTorch's `nn.Transformer`, which has neither embeddings nor logits."""

import re
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.models.sequence.transformer import EncoderDecoder
from jaxvision.pretrained.load import fill

_PACKED = ("q", "k", "v")
_NAMES = (
    (r"/(query|key|value)/", lambda m: f"/in_proj_{m[1][0]}_"),
    (r"/out/", "/out_proj/"),
    (r"/cross_attention/", "/multihead_attn/"),
    (r"/attention/", "/self_attn/"),
    (r"/feed_forward/expand/", "/linear1/"),
    (r"/feed_forward/reduce/", "/linear2/"),
    (r"/attention_norm/", "/norm1/"),
    (r"^(encoder.*)/feed_forward_norm/", r"\1/norm2/"),
    (r"/cross_attention_norm/", "/norm2/"),
    (r"/feed_forward_norm/", "/norm3/"),
    (r"/layer(\d+)/", lambda m: f"/layers/{int(m[1]) - 1}/"),
    (r"(kernel|scale)$", "weight"),
)


def load_stacks(
    state: Mapping[str, np.ndarray], *, num_heads: int, pre_norm: bool = False
) -> tuple[EncoderDecoder, dict[str, Any]]:
    """Builds the stacks that a `nn.Transformer` with ReLU has, and fills them with its weights.

    Args:
        state: Its state dict as numpy arrays.
        num_heads: `nhead`, of which the weights do not tell.
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
    variables = fill(template, _unpacked(state, num_heads), reference_name, lambda _, value: value)
    return model, variables


def reference_name(path: str) -> str:
    """Translates a variable's path, `encoder/layer1/attention/out/kernel`, to PyTorch's name."""
    for pattern, replacement in _NAMES:
        path = re.sub(pattern, replacement, path)
    return path.replace("/", ".")


def _layers(state: Mapping[str, np.ndarray], stack: str) -> int:
    return len({name.split(".")[2] for name in state if name.startswith(f"{stack}.layers.")})


def _unpacked(state: Mapping[str, np.ndarray], num_heads: int) -> dict[str, np.ndarray]:
    """Takes attention's three packed projections apart, and gives each its axis of heads.

    Kernels are laid out as ours are, but for those of two axes, which `fill` turns.
    """
    unpacked = {}
    for name, value in state.items():
        if "in_proj_" in name:
            prefix, leaf = name.rsplit("_", 1)
            for letter, part in zip(_PACKED, np.split(value, 3), strict=True):
                by_head = part.reshape(num_heads, -1, *part.shape[1:])
                kernel = by_head.transpose(2, 0, 1) if leaf == "weight" else by_head.T
                unpacked[f"{prefix}_{letter}_{leaf}"] = kernel
        elif name.endswith("out_proj.weight"):
            unpacked[name] = value.T.reshape(num_heads, -1, len(value))
        else:
            unpacked[name] = value
    return unpacked
