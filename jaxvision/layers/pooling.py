"""Pooling that flax lacks: windows that extend past the edge, and bins for any input size."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxvision.layers.max_pooling import max_over_windows


def max_pool(
    x: jax.Array, window: int, stride: int, padding: int = 0, ceil_mode: bool = False
) -> jax.Array:
    """Takes maxima over windows, as PyTorch does.

    Args:
        x: Features [B, H, W, C].
        window: Side of the windows.
        stride: Pixels between neighbouring windows.
        padding: Pixels added on each side, which are never the maximum.
        ceil_mode: Whether a last window may extend past the edge, as in Caffe; otherwise rows and
            columns that do not fill a window are dropped.

    Returns:
        Features [B, (H + 2 * padding - window) / stride + 1, ..., C], rounded down or up.
    """
    paddings = _paddings(x, window, stride, padding, ceil_mode)
    return max_over_windows(x, (window, window), (stride, stride), paddings)


def avg_pool(
    x: jax.Array, window: int, stride: int, padding: int = 0, ceil_mode: bool = False
) -> jax.Array:
    """Takes means over the pixels of windows that are not padding.

    Args:
        x: Features [B, H, W, C].
        window: Side of the windows.
        stride: Pixels between neighbouring windows.
        padding: Pixels added on each side, which do not count.
        ceil_mode: Whether a last window may extend past the edge, as in `max_pool`.

    Returns:
        Features [B, (H + 2 * padding - window) / stride + 1, ..., C], rounded down or up.
    """
    mean = nn.avg_pool(
        x.astype(jnp.float32),
        window_shape=(window, window),
        strides=(stride, stride),
        padding=_paddings(x, window, stride, padding, ceil_mode),
        count_include_pad=False,
    )
    return mean.astype(x.dtype)


def _paddings(
    x: jax.Array, window: int, stride: int, padding: int, ceil_mode: bool
) -> Any:  # flax annotates what takes these pairs as str.
    """Returns the padding before and after, rows first, with which rounding down is right."""
    paddings = []
    for side in x.shape[1:3]:
        free = side + 2 * padding - window
        steps = free // stride
        # A window that would start in the padding after the input contains none of its pixels.
        if ceil_mode and free % stride and (steps + 1) * stride < side + padding:
            steps += 1
        paddings.append((padding, max(padding, steps * stride + window - side - padding)))
    return paddings


def adaptive_avg_pool(x: jax.Array, height: int, width: int) -> jax.Array:
    """Takes means over a fixed number of bins, whatever the size of the input.

    Bin i of n spans rows floor(i * H / n) to ceil((i + 1) * H / n), as in PyTorch: bins overlap
    where n does not divide H, and repeat rows where n exceeds H.

    Args:
        x: Features [B, H, W, C].
        height: Number of bins along the rows.
        width: Number of bins along the columns.

    Returns:
        Features [B, height, width, C].
    """
    if x.shape[1:3] == (height, width):
        return x
    rows, columns = _bins(x.shape[1], height), _bins(x.shape[2], width)
    # By default TPUs multiply matrices in bfloat16.
    highest = jax.lax.Precision.HIGHEST
    mean = jnp.einsum("ih,jw,bhwc->bijc", rows, columns, x, precision=highest)
    return mean.astype(x.dtype)


def adaptive_max_pool(x: jax.Array, height: int, width: int) -> jax.Array:
    """Takes maxima over a fixed number of bins, those of `adaptive_avg_pool`.

    Args:
        x: Features [B, H, W, C].
        height: Number of bins along the rows.
        width: Number of bins along the columns.

    Returns:
        Features [B, height, width, C].
    """
    rows = [x[:, a:b].max(axis=1) for a, b in _edges(x.shape[1], height)]
    x = jnp.stack(rows, axis=1)
    return jnp.stack([x[:, :, a:b].max(axis=2) for a, b in _edges(x.shape[2], width)], axis=2)


def _bins(side: int, count: int) -> np.ndarray:
    """Returns weights [count, side] of the pixels in the mean of each bin."""
    weights = np.zeros((count, side), np.float32)
    for i, (start, stop) in enumerate(_edges(side, count)):
        weights[i, start:stop] = 1 / (stop - start)
    return weights


def _edges(side: int, count: int) -> list[tuple[int, int]]:
    """Returns the first pixel of each bin and the one after its last."""
    return [(i * side // count, -(-(i + 1) * side // count)) for i in range(count)]
