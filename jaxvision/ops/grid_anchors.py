"""Anchor boxes of the YOLOs: sizes without places, the same in every cell of a map."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class GridLevel(NamedTuple):
    """One map of a detector.

    Attributes:
        stride: Side of a cell in pixels.
        rows: Cells from top to bottom.
        columns: Cells from left to right.
        start: Index of its first anchor among those of all maps.
        sizes: Width and height of the anchors of a cell in pixels [n, 2] float32.
    """

    stride: int
    rows: int
    columns: int
    start: int
    sizes: np.ndarray

    @property
    def count(self) -> int:
        """Number of its anchors."""
        return self.rows * self.columns * len(self.sizes)

    @property
    def anchors(self) -> slice:
        """Its anchors among those of all maps."""
        return slice(self.start, self.start + self.count)


class GridAnchors(NamedTuple):
    """The anchors of all maps, in the order of the strides.

    Within a map rows come first, then columns, then the anchors of one cell.

    Attributes:
        corners: x and y of the top left corner of each anchor's cell in pixels [A, 2] float32.
        strides: Side of the cell in pixels [A] float32.
        sizes: Width and height of the anchor in pixels [A, 2] float32.
        levels: The maps.
    """

    corners: np.ndarray
    strides: np.ndarray
    sizes: np.ndarray
    levels: tuple[GridLevel, ...]


def grid_anchors(
    height: int,
    width: int,
    strides: Sequence[int],
    sizes: Sequence[Sequence[tuple[float, float]]],
) -> GridAnchors:
    """Lays out the anchors of an image; constants of a compiled function, hence numpy.

    Args:
        height: Of the image in pixels, a multiple of every stride.
        width: Of the image in pixels.
        strides: Strides of the maps, ascending.
        sizes: Of each map, width and height in pixels of the anchors of a cell.

    Raises:
        ValueError: If there are not as many maps in `sizes` as in `strides`.
    """
    if len(sizes) != len(strides):
        raise ValueError(f"anchors must be those of {len(strides)} maps, got {len(sizes)}")
    corners, sides, all_sizes, levels, start = [], [], [], [], 0
    for stride, level_sizes in zip(strides, sizes, strict=True):
        own = np.asarray(level_sizes, np.float32)
        level = GridLevel(stride, height // stride, width // stride, start, own)
        y, x = np.mgrid[: level.rows, : level.columns]
        cells = np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float32) * stride
        corners.append(np.repeat(cells, len(own), axis=0))
        sides.append(np.full(level.count, stride, np.float32))
        all_sizes.append(np.tile(own, (len(cells), 1)))
        levels.append(level)
        start += level.count
    return GridAnchors(
        np.concatenate(corners), np.concatenate(sides), np.concatenate(all_sizes), tuple(levels)
    )


def image_size(anchors: GridAnchors) -> tuple[int, int]:
    """Returns height and width in pixels of the image whose anchors these are."""
    level = anchors.levels[0]
    return level.rows * level.stride, level.columns * level.stride
