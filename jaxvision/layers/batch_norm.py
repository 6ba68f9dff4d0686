"""Batch normalisation with PyTorch's running statistics.

Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167. `flax.linen.BatchNorm` stores the biased
variance of the batch, PyTorch the unbiased one; on the small maps of a detector's last stage the
difference is percents, so runs that start from one set of statistics drift apart.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn


class BatchNorm(nn.Module):
    """Normalises over all axes but the last, over the global batch when it is sharded.

    Attributes:
        momentum: Share of the old running statistics that a step keeps, 1 - PyTorch's momentum.
        epsilon: Added to the variance.
        scale_init: Initialiser of the scale, zeros where a residual branch shall start silent.
        dtype: Of the output; statistics and parameters are always float32.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5
    scale_init: jax.nn.initializers.Initializer = nn.initializers.ones
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, ..., C] to [B, ..., C]; training uses and records the batch's statistics."""
        channels = (x.shape[-1],)
        scale = self.param("scale", self.scale_init, channels, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, channels, jnp.float32)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, channels, jnp.float32)
        running_var = self.variable("batch_stats", "var", jnp.ones, channels, jnp.float32)

        x = x.astype(jnp.float32)
        if train:
            axes = tuple(range(x.ndim - 1))
            # E[x^2] - E[x]^2 reads x once. It loses digits where |mean| >> std, which the output
            # of a convolution is not: gradients of YOLOX come as close to the reference's as
            # with two passes.
            mean = x.mean(axes)
            var = jnp.maximum(jnp.square(x).mean(axes) - jnp.square(mean), 0.0)
            if not self.is_initializing():
                count = x.size // x.shape[-1]
                unbiased = var * (count / max(count - 1, 1))
                keep = self.momentum
                running_mean.value = keep * running_mean.value + (1 - keep) * mean
                running_var.value = keep * running_var.value + (1 - keep) * unbiased
        else:
            mean, var = running_mean.value, running_var.value

        shape = (1,) * (x.ndim - 1) + channels
        factor = (scale * jax.lax.rsqrt(var + self.epsilon)).reshape(shape)
        y = (x - mean.reshape(shape)) * factor + bias.reshape(shape)
        return y.astype(self.dtype)
