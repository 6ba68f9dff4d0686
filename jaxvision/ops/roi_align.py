"""Features of regions of interest by interpolation.

RoIAlign: Mask R-CNN, He et al. 2017, https://arxiv.org/abs/1703.06870, section 3; over the levels
of a pyramid: FPN, Lin et al. 2017, https://arxiv.org/abs/1612.03144, equation 1. Equal to
torchvision's `roi_align` and `MultiScaleRoIAlign`.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

Size = tuple[int, int]


def roi_align(
    features: jax.Array,
    boxes: jax.Array,
    *,
    size: Size,
    stride: float,
    samples: int = 2,
    aligned: bool = False,
) -> jax.Array:
    """Averages features over the bins of each region, at points between the pixels.

    A point outside of the map by more than a cell counts as zero.

    Args:
        features: A map of each image [B, H, W, C].
        boxes: Regions [B, R, 4], xyxy in pixels of the images; they may lie outside of them.
        size: Rows and columns of bins.
        stride: Pixels between neighbouring cells of the map.
        samples: Points along each side of a bin; 0 for as many as the bin is cells long, rounded
            up, which takes more memory.
        aligned: Whether cells have their features at their centres, half a cell from their corner,
            as Detectron2 has it. Otherwise regions are at least a cell wide and high.

    Returns:
        [B, R, rows, columns, C], with gradients by the features; boxes get none.
    """
    if samples == 0:
        return _of_every_cell(features, boxes, size, stride, aligned)
    return multiscale_roi_align(
        {1: features}, boxes / stride, size=size, samples=samples, aligned=aligned
    )


def multiscale_roi_align(
    levels: Mapping[int, jax.Array],
    boxes: jax.Array,
    *,
    size: Size,
    samples: int = 2,
    aligned: bool = False,
) -> jax.Array:
    """Takes the features of each region from the level that suits its size.

    Args:
        levels: {stride: map of each image [B, H, W, C]}.
        boxes: Regions [B, R, 4], xyxy in pixels of the images.
        size: Rows and columns of bins.
        samples: As for `roi_align`.
        aligned: As for `roi_align`.

    Returns:
        [B, R, rows, columns, C], with gradients by the features; boxes get none.
    """
    boxes = jax.lax.stop_gradient(boxes)
    strides = sorted(levels)
    level = level_of(boxes, strides)
    if samples == 0:
        each = [_of_every_cell(levels[s], boxes, size, s, aligned) for s in strides]
        return jnp.sum(
            jnp.stack(
                [jnp.where((level == i)[..., None, None, None], x, 0.0) for i, x in enumerate(each)]
            ),
            axis=0,
        )

    # All levels in one array, so that each region costs as much as if there were one.
    maps = [levels[s] for s in strides]
    flat = jnp.concatenate([_one_row(x) for x in maps], axis=1)
    heights, widths = (jnp.array([x.shape[axis] for x in maps]) for axis in (1, 2))
    starts = jnp.cumsum(heights * widths) - heights * widths
    stride = jnp.array(strides, jnp.float32)[level]
    start, length = _extent(boxes / stride[..., None], aligned)
    rows, row_weights = _taps(start[..., 1], length[..., 1], size[0], samples, heights[level])
    columns, column_weights = _taps(start[..., 0], length[..., 0], size[1], samples, widths[level])
    corner = starts[level][..., None, None]
    row_starts = corner + rows * widths[level][..., None, None]

    def of_image(image: tuple[jax.Array, ...]) -> jax.Array:
        x, row_starts, columns, row_weights, column_weights = image
        index = row_starts[:, :, :, None, None] + columns[:, None, None]
        weights = row_weights[:, :, :, None, None] * column_weights[:, None, None]
        # Tap by tap in a bin: [R, rows, taps, columns, taps, C].
        return (x[index] * weights[..., None]).sum(axis=(2, 4))

    # One image at a time: the taps of all regions are the largest array of a training step.
    pooled = jax.lax.map(of_image, (flat, row_starts, columns, row_weights, column_weights))
    return pooled.astype(flat.dtype)


def _one_row(x: jax.Array) -> jax.Array:
    """Maps [B, H, W, C] to [B, H W, C]; the number of images may be left open, as in export."""
    batch, height, width, channels = x.shape
    return x.reshape(batch, height * width, channels)


def level_of(boxes: jax.Array, strides: list[int]) -> jax.Array:
    """Chooses the level of a pyramid for each box (FPN, equation 1).

    A box of 224 x 224 pixels, the size of ImageNet's pictures, is seen at stride 16; one of half
    the side at half the stride.

    Args:
        boxes: [..., 4], xyxy in pixels.
        strides: Of the levels, powers of two in ascending order.

    Returns:
        Indices into `strides` [...] int32.
    """
    size = boxes[..., 2:] - boxes[..., :2]
    side = jnp.sqrt(jnp.maximum(size[..., 0] * size[..., 1], 0.0))
    # Log2 of the stride. A box of exactly 224 must not fall to the level below by rounding.
    level = jnp.floor(4 + jnp.log2(side / 224) + 1e-6)
    logs = jnp.array([s.bit_length() - 1 for s in strides])
    return jnp.clip(level, logs[0], logs[-1]).astype(jnp.int32) - logs[0]


def _extent(boxes: jax.Array, aligned: bool) -> tuple[jax.Array, jax.Array]:
    """Returns corners and sizes of regions, both [..., (x, y)] in cells of a map."""
    start, size = boxes[..., :2], boxes[..., 2:] - boxes[..., :2]
    return (start - 0.5, size) if aligned else (start, jnp.maximum(size, 1.0))


def _taps(
    start: jax.Array, length: jax.Array, bins: int, samples: int, cells: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Returns which cells along an axis make up each bin, and their weights.

    Args:
        start: Of the regions [...], in cells.
        length: Of the regions [...], in cells.
        bins: Number of bins.
        samples: Points in a bin.
        cells: Of the axis [...].

    Returns:
        Indices and weights [..., bins, 2 * samples].
    """
    points = (jnp.arange(bins)[:, None] + (jnp.arange(samples)[None] + 0.5) / samples) / bins
    points = points.reshape((1,) * start.ndim + points.shape)
    position = start[..., None, None] + points * length[..., None, None]
    cells = cells[..., None, None]
    inside = (position >= -1) & (position <= cells)
    position = jnp.clip(position, 0.0, cells - 1.0)
    low = jnp.floor(position)
    share = position - low
    high = jnp.minimum(low + 1, cells - 1)
    weights = jnp.where(inside[..., None], jnp.stack([1 - share, share], axis=-1), 0.0) / samples
    index = jnp.stack([low, high], axis=-1).astype(jnp.int32)
    shape = (*position.shape[:-1], 2 * samples)
    return index.reshape(shape), weights.reshape(shape)


def _of_every_cell(
    features: jax.Array, boxes: jax.Array, size: Size, stride: float, aligned: bool
) -> jax.Array:
    """Pools with as many points as a bin is cells long: a weight for each cell of the map."""
    start, length = _extent(jax.lax.stop_gradient(boxes) / stride, aligned)
    weights = (
        _cell_weights(start[..., axis], length[..., axis], bins, cells)
        for axis, bins, cells in ((1, size[0], features.shape[1]), (0, size[1], features.shape[2]))
    )
    pooled = jnp.einsum(
        "brih,brjw,bhwc->brijc", *weights, features, precision=jax.lax.Precision.HIGHEST
    )
    return pooled.astype(features.dtype)


def _cell_weights(start: jax.Array, length: jax.Array, bins: int, cells: int) -> jax.Array:
    """Returns the weight of each cell of an axis in each bin [..., bins, cells]."""
    count = jnp.ceil(length / bins)[..., None, None]
    bin_ = jnp.arange(bins).reshape((1,) * start.ndim + (bins,))
    first = (start[..., None] + bin_ * length[..., None] / bins)[..., None]
    step = length[..., None, None] / bins / jnp.maximum(count, 1)
    cell = jnp.arange(cells).reshape((1,) * (start.ndim + 1) + (cells,))
    # Points are more than half a cell apart if there are several, so that at most six lie within a
    # cell's distance of a cell; the first of them:
    near = jnp.floor((cell - 1 - first) / jnp.maximum(step, 1e-6) - 0.5)
    near = jnp.clip(near, 0, jnp.maximum(count - 1, 0))
    total = jnp.zeros(near.shape)
    for i in range(6):
        position = first + (near + i + 0.5) * step
        counts = (near + i < count) & (position >= -1) & (position <= cells)
        share = 1 - jnp.abs(jnp.clip(position, 0, cells - 1) - cell)
        total += jnp.where(counts, jnp.maximum(share, 0.0), 0.0)
    return total / jnp.maximum(count, 1)
