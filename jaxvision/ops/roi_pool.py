"""Features of regions of interest by maxima.

RoIPool: Fast R-CNN, Girshick 2015, https://arxiv.org/abs/1504.08083, section 2.1. Equal to
torchvision's `roi_pool`.
"""

import jax
import jax.numpy as jnp


def roi_pool(
    features: jax.Array, boxes: jax.Array, *, size: tuple[int, int], stride: float
) -> jax.Array:
    """Takes the largest value of each channel in the bins of each region, of whole cells.

    Args:
        features: A map of each image [B, H, W, C].
        boxes: Regions [B, R, 4], xyxy in pixels of the images; they may lie outside of them.
        size: Rows and columns of bins.
        stride: Pixels between neighbouring cells of the map.

    Returns:
        [B, R, rows, columns, C], 0 for bins outside of the map. The gradient of a maximum goes to
        its first cell, rows first; boxes get none.
    """
    batch, height, width, channels = features.shape
    corners = _rounded(jax.lax.stop_gradient(boxes) / stride)
    top, bottom = _bins(corners[..., 1], corners[..., 3], size[0], height)
    left, right = _bins(corners[..., 0], corners[..., 2], size[1], width)
    flat = features.reshape(batch * height * width, channels)
    image = jnp.arange(batch)[:, None, None, None] * height * width
    values = jax.lax.stop_gradient(flat)

    # A bin is looked through cell by cell, all bins at once: as often as the largest has cells.
    rows, columns = (bottom - top).max(), (right - left).max()

    def look(i: jax.Array, best: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        y = top[:, :, :, None] + i // columns
        x = left[:, :, None] + i % columns
        inside = (y < bottom[:, :, :, None]) & (x < right[:, :, None])
        cell = jnp.where(inside, image + y * width + x, 0)
        found = jnp.where(inside[..., None], values[cell], -jnp.inf)
        largest, where = best
        higher = found > largest
        return jnp.where(higher, found, largest), jnp.where(higher, cell[..., None], where)

    shape = (*boxes.shape[:2], *size, channels)
    start = jnp.full(shape, -jnp.inf, values.dtype), jnp.full(shape, -1, jnp.int32)
    _, where = jax.lax.fori_loop(0, rows * columns, look, start)
    maxima = flat[jnp.maximum(where, 0), jnp.arange(channels)[None, None, None, None]]
    return jnp.where(where >= 0, maxima, 0)


def _rounded(x: jax.Array) -> jax.Array:
    """Rounds to whole numbers, halves away from zero."""
    return (jnp.sign(x) * jnp.floor(jnp.abs(x) + 0.5)).astype(jnp.int32)


def _bins(start: jax.Array, stop: jax.Array, bins: int, cells: int) -> tuple[jax.Array, jax.Array]:
    """Returns the first cell of each bin and the one after its last [..., bins]."""
    length = jnp.maximum(stop - start + 1, 1)[..., None]
    index = jnp.arange(bins).reshape((1,) * start.ndim + (bins,))
    # In whole numbers: a rounded length of a bin would move its end to the next cell.
    low = index * length // bins + start[..., None]
    high = -(-(index + 1) * length // bins) + start[..., None]
    return jnp.clip(low, 0, cells), jnp.clip(high, 0, cells)
