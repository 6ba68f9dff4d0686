"""Batch normalisation with PyTorch's running statistics, and frozen.

Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167. `flax.linen.BatchNorm` stores the biased
variance of the batch, PyTorch the unbiased one; on the small maps of a detector's last stage they
differ by several percent, so runs that start from the same statistics drift apart.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.nn.initializers import Initializer


class BatchNorm(nn.Module):
    """Normalises over all axes but the last, over the global batch when it is sharded.

    Attributes:
        momentum: Fraction of the old running statistics that a step keeps, 1 - PyTorch's momentum.
        epsilon: Added to the variance.
        scale_init: Initialiser of the scale, zeros where a residual branch starts at zero.
        dtype: Of the output; statistics and parameters are always float32.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5
    scale_init: Initializer = nn.initializers.ones
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
        return _affine(x, mean, scale * jax.lax.rsqrt(var + self.epsilon), bias, self.dtype)


class FrozenBatchNorm(nn.Module):
    """Normalises by stored statistics in training, too, with a fixed scale and bias.

    For fine-tuning with batches that are too small for statistics, as detectors do. All four arrays
    are in the collection `batch_stats`, where neither gradients nor weight decay reach them, under
    the names that `BatchNorm` gives them, so that weights of either fill the other.

    Attributes:
        epsilon: Added to the variance; 0 in torchvision's released detectors, else 1e-5.
        scale_init: Initialiser of the scale.
        dtype: Of the output; the stored arrays are always float32.
    """

    epsilon: float = 1e-5
    scale_init: Initializer = nn.initializers.ones
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, ..., C] to [B, ..., C], in training as in evaluation."""
        channels = (x.shape[-1],)

        def stored(name: str, initial: Initializer) -> jax.Array:
            def init() -> jax.Array:
                return initial(self.make_rng("params"), channels, jnp.float32)

            return self.variable("batch_stats", name, init).value

        scale = stored("scale", self.scale_init)
        bias = stored("bias", nn.initializers.zeros)
        mean = stored("mean", nn.initializers.zeros)
        var = stored("var", nn.initializers.ones)
        factor = scale * jax.lax.rsqrt(var + self.epsilon)
        return _affine(x.astype(jnp.float32), mean, factor, bias, self.dtype)


def _affine(
    x: jax.Array, mean: jax.Array, factor: jax.Array, bias: jax.Array, dtype: jnp.dtype
) -> jax.Array:
    # Not (x - mean) * factor + bias, whose gradient would need x - mean kept, an array as large as
    # x. It loses no more digits than the variance above does.
    shape = (1,) * (x.ndim - 1) + mean.shape
    y = x * factor.reshape(shape) + (bias - mean * factor).reshape(shape)
    return y.astype(dtype)
