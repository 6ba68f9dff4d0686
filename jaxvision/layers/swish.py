"""Swish whose slope is learned.

Searching for Activation Functions, Ramachandran et al. 2017, https://arxiv.org/abs/1710.05941,
section 4: x * sigmoid(beta * x), linear at beta = 0 and close to ReLU for large beta. With beta = 1
fixed it is `silu` of `jaxvision.layers.activations`.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn


class Swish(nn.Module):
    """x * sigmoid(beta * x) with a learned beta.

    Attributes:
        channelwise: Whether each channel has a beta of its own.
        initial: Value at which beta starts.
    """

    channelwise: bool = False
    initial: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [..., C] to [..., C]."""
        shape = x.shape[-1:] if self.channelwise else (1,)
        init = nn.initializers.constant(self.initial)
        beta = self.param("beta", init, shape, jnp.float32).astype(x.dtype)
        return x * nn.sigmoid(beta.reshape((1,) * (x.ndim - 1) + (-1,)) * x)
