"""Normalisation within each example, which keeps no running statistics: of groups, of channels.

Group Normalization, Wu and He 2018, https://arxiv.org/abs/1803.08494, equations 2 to 7. Instance
Normalization, Ulyanov et al. 2016, https://arxiv.org/abs/1607.08022, equation 4. Both are equal to
PyTorch's, whose epsilon is 1e-5.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.nn.initializers import Initializer


class GroupNorm(nn.Module):
    """Normalises over the pixels and the neighbouring channels of a group.

    Attributes:
        groups: Number of groups, which divides the channels.
        epsilon: Added to the variance.
        scale_init: Initialiser of the scale, zeros where a residual branch starts at zero.
        dtype: Of the output; statistics and parameters are always float32.
    """

    groups: int = 32
    epsilon: float = 1e-5
    scale_init: Initializer = nn.initializers.ones
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, ..., C] to [B, ..., C], in training as in evaluation.

        Raises:
            ValueError: If the groups do not divide C.
        """
        channels = x.shape[-1]
        if channels % self.groups:
            raise ValueError(
                f"channels must be a multiple of the {self.groups} groups, got {channels}"
            )
        y = x.astype(jnp.float32).reshape(*x.shape[:-1], self.groups, channels // self.groups)
        y = _normalise(y, (*range(1, x.ndim - 1), x.ndim), self.epsilon).reshape(x.shape)
        shape = (1,) * (x.ndim - 1) + (channels,)
        scale = self.param("scale", self.scale_init, (channels,), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (channels,), jnp.float32)
        return (y * scale.reshape(shape) + bias.reshape(shape)).astype(self.dtype)


class InstanceNorm(nn.Module):
    """Normalises each channel over its pixels.

    Attributes:
        affine: Whether a learned scale and bias follow; image translation has neither.
        epsilon: Added to the variance.
        scale_init: Initialiser of the scale, zeros where a residual branch starts at zero.
        dtype: Of the output; statistics and parameters are always float32.
    """

    affine: bool = False
    epsilon: float = 1e-5
    scale_init: Initializer = nn.initializers.ones
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, ..., C] to [B, ..., C], in training as in evaluation.

        Raises:
            ValueError: If there is one pixel only, whose normalised value is always 0, or a scale
                is to be initialised but not learned.
        """
        if x.size == x.shape[0] * x.shape[-1]:
            raise ValueError(
                "InstanceNorm needs more than one pixel a channel, got features of shape "
                f"{x.shape}: use larger images or another norm"
            )
        if not self.affine and self.scale_init is not nn.initializers.ones:
            raise ValueError("scale_init needs affine=True, got affine=False")
        y = _normalise(x.astype(jnp.float32), tuple(range(1, x.ndim - 1)), self.epsilon)
        if self.affine:
            channels = (x.shape[-1],)
            shape = (1,) * (x.ndim - 1) + channels
            scale = self.param("scale", self.scale_init, channels, jnp.float32)
            bias = self.param("bias", nn.initializers.zeros, channels, jnp.float32)
            y = y * scale.reshape(shape) + bias.reshape(shape)
        return y.astype(self.dtype)


def _normalise(x: jax.Array, axes: tuple[int, ...], epsilon: float) -> jax.Array:
    mean = x.mean(axes, keepdims=True)
    # Two passes: unlike a whole batch, one example's mean may be far from 0.
    var = jnp.square(x - mean).mean(axes, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(var + epsilon)
