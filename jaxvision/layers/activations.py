"""Activations by the names that papers and configs use.

Only maxout is defined here; the others are jax's own. Those with a parameter are modules:
`flax.linen.PReLU` and `jaxvision.layers.swish.Swish`.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.silu import silu

Activation = Callable[[jax.Array], jax.Array]


def maxout(x: jax.Array, pieces: int = 2) -> jax.Array:
    """Takes the maximum over groups of neighbouring channels.

    Goodfellow et al. 2013, https://arxiv.org/abs/1302.4389, section 2.

    Args:
        x: Outputs of affine maps [..., pieces * C].
        pieces: Number k of maps over which each output is the maximum.

    Returns:
        Maxima [..., C].

    Raises:
        ValueError: If the channels are not a multiple of the pieces.
    """
    if x.shape[-1] % pieces:
        raise ValueError(f"channels must be a multiple of {pieces}, got {x.shape[-1]}")
    return jnp.max(x.reshape(*x.shape[:-1], -1, pieces), axis=-1)


ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": nn.sigmoid,
    "tanh": nn.tanh,
    "relu": nn.relu,
    "relu6": nn.relu6,
    "leaky_relu": nn.leaky_relu,  # Slope 0.01.
    "elu": nn.elu,
    "selu": nn.selu,
    "silu": silu,
    "swish": silu,
    "hard_sigmoid": nn.hard_sigmoid,
    "hard_swish": nn.hard_swish,
    "mish": jax.nn.mish,
    # jax's default is the approximation; papers and PyTorch mean the exact one.
    "gelu": functools.partial(nn.gelu, approximate=False),
    "gelu_tanh": functools.partial(nn.gelu, approximate=True),
    "softplus": nn.softplus,
    "softmax": nn.softmax,
    "maxout": maxout,
}


def activation(name: str) -> Activation:
    """Returns the function of this name.

    Raises:
        ValueError: If there is no activation of this name.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {name}")
    return ACTIVATIONS[name]
