"""Anchor boxes: the reference boxes that a detector's predictions are offsets from.

Faster R-CNN, Ren et al. 2015, https://arxiv.org/abs/1506.01497, section 3.1.1; over the levels of a
pyramid, FPN, Lin et al. 2017, https://arxiv.org/abs/1612.03144. Laid out as torchvision's
`AnchorGenerator` does: the boxes of a cell are rounded to whole pixels and stand on the cell's top
left corner, not on its centre.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Anchors(NamedTuple):
    """The anchor boxes of an image of all levels, in the order of the strides.

    Within a level rows come first, then columns, then the boxes of one cell.

    Attributes:
        boxes: [A, 4] float32, xyxy in pixels; some extend beyond the image.
        counts: Number of boxes of each level; their sum is A.
        height: Of the image in pixels.
        width: Of the image in pixels.
    """

    boxes: np.ndarray
    counts: tuple[int, ...]
    height: int
    width: int


def cell_anchors(sizes: Sequence[float], ratios: Sequence[float]) -> np.ndarray:
    """Boxes around the origin, rounded to whole pixels (halves to the even neighbour).

    Args:
        sizes: Square roots of the areas, in pixels.
        ratios: Height over width.

    Returns:
        [len(ratios) * len(sizes), 4] float32, xyxy; the boxes of the first ratio come first.
    """
    root = np.sqrt(np.asarray(ratios, np.float32))
    heights = (root[:, None] * np.asarray(sizes, np.float32)[None]).reshape(-1)
    widths = ((1 / root)[:, None] * np.asarray(sizes, np.float32)[None]).reshape(-1)
    return np.round(np.stack([-widths, -heights, widths, heights], axis=-1) / 2)


def anchor_boxes(
    height: int,
    width: int,
    strides: Sequence[int],
    sizes: Sequence[Sequence[float]],
    ratios: Sequence[float],
) -> Anchors:
    """Lays out the anchors of an image; constants of a compiled function, hence numpy.

    Args:
        height: Of the image in pixels.
        width: Of the image in pixels.
        strides: Strides of the levels, ascending. A map has ceil(height / stride) rows. Its cells
            are then height // rows pixels apart, which is less than the stride where that does not
            divide the height, as torchvision has it.
        sizes: Of each level, square roots of the areas of its boxes in pixels.
        ratios: Height over width of the boxes of every level.

    Raises:
        ValueError: If there are not as many levels in `sizes` as in `strides`.
    """
    if len(sizes) != len(strides):
        raise ValueError(f"sizes must be those of {len(strides)} levels, got {len(sizes)}")
    levels = []
    for stride, level_sizes in zip(strides, sizes, strict=True):
        rows, columns = -(-height // stride), -(-width // stride)
        y, x = np.mgrid[:rows, :columns].astype(np.float32)
        y, x = y * (height // rows), x * (width // columns)
        shifts = np.stack([x, y, x, y], axis=-1).reshape(-1, 1, 4)
        levels.append((shifts + cell_anchors(level_sizes, ratios)[None]).reshape(-1, 4))
    return Anchors(np.concatenate(levels), tuple(map(len, levels)), height, width)
