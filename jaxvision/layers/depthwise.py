"""Depthwise convolution that is fast on every platform.

XLA's CPU backend runs a convolution with one group a channel as a naive loop. Written as
kernel-many shifted multiply-adds it vectorises over channels. GPUs and TPUs have kernels for it.
"""

import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.platforms import by_platform


class DepthwiseConv(nn.Module):
    """One k x k filter a channel, without bias, padded by k // 2 on each side.

    Attributes:
        kernel_size: Side of the filter, odd.
        stride: Spatial stride.
        kernel_init: Initialiser of the kernel [k, k, 1, C].
        dtype: Of the computation; the kernel is stored in float32.
    """

    kernel_size: int = 3
    stride: int = 1
    kernel_init: jax.nn.initializers.Initializer = nn.initializers.lecun_normal()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [B, H, W, C] to [B, ceil(H / stride), ceil(W / stride), C]."""
        k = self.kernel_size
        kernel = self.param("kernel", self.kernel_init, (k, k, 1, x.shape[-1]), jnp.float32)
        return depthwise_conv(x.astype(self.dtype), kernel.astype(self.dtype), self.stride)


def depthwise_conv(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """Convolves each channel with its own filter, padded by k // 2 on each side.

    Args:
        x: Features [B, H, W, C].
        kernel: One filter a channel [k, k, 1, C], k odd.
        stride: Spatial stride.

    Returns:
        Features [B, ceil(H / stride), ceil(W / stride), C].
    """
    return by_platform(
        x,
        kernel,
        cpu=lambda x, kernel: _shifted_sum(x, kernel, stride),
        default=lambda x, kernel: _grouped_conv(x, kernel, stride),
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _shifted_sum(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    total = jnp.zeros((), x.dtype)
    for i, j, window in _windows(x, kernel.shape[0], stride):
        total = total + window * kernel[None, None, None, i, j, 0]
    return total


def _shifted_sum_forward(
    x: jax.Array, kernel: jax.Array, stride: int
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _shifted_sum(x, kernel, stride), (x, kernel)


def _shifted_sum_backward(
    stride: int, saved: tuple[jax.Array, jax.Array], grad: jax.Array
) -> tuple[Any, jax.Array]:
    # Differentiated by jax, the shifts would become one padded array each. The gradient of the
    # input is a shifted sum itself: of the output's, spread out by the stride, and the turned
    # kernel.
    x, kernel = saved
    missing = [side - 1 - (out - 1) * stride for side, out in zip(x.shape, grad.shape, strict=True)]
    spread = jax.lax.pad(
        grad,
        jnp.zeros((), grad.dtype),
        ((0, 0, 0), (0, missing[1], stride - 1), (0, missing[2], stride - 1), (0, 0, 0)),
    )
    x_grad = _shifted_sum(spread, kernel[::-1, ::-1], 1)
    kernel_grad = [
        (window * grad).sum((0, 1, 2)) for _, _, window in _windows(x, kernel.shape[0], stride)
    ]
    return x_grad, jnp.stack(kernel_grad).reshape(kernel.shape)


_shifted_sum.defvjp(_shifted_sum_forward, _shifted_sum_backward)


def _windows(x: jax.Array, k: int, stride: int) -> Iterator[tuple[int, int, jax.Array]]:
    """Yields what each tap (i, j) of the filter sees, one value for every output pixel."""
    height, width = x.shape[1:3]
    rows, columns = -(-height // stride), -(-width // stride)
    x = jnp.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2), (0, 0)))
    for i in range(k):
        for j in range(k):
            window = x[:, i : i + (rows - 1) * stride + 1 : stride]
            yield i, j, window[:, :, j : j + (columns - 1) * stride + 1 : stride]


def _grouped_conv(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    pad = kernel.shape[0] // 2
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        window_strides=(stride, stride),
        padding=((pad, pad), (pad, pad)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )
