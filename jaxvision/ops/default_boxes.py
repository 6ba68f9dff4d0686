"""SSD's default boxes: sizes as shares of the image, several shapes in each cell of several maps.

SSD, Liu et al. 2015, https://arxiv.org/abs/1512.02325, section 2.2. Laid out as torchvision does:
sides are at most the image's, places may reach beyond it.
"""

import math
from typing import NamedTuple

import numpy as np

from jaxvision.ops.anchors import Anchors

# Kernel, stride and padding of the convolution that makes a map of the one before.
Shrink = tuple[int, int, int]


class DefaultBoxes(NamedTuple):
    """The maps of a network and the shapes in their cells.

    Attributes:
        own_maps: How many maps the backbone gives, the first at stride 8, each half of the last.
        shrinks: How each further map is made.
        steps: Of each map, distance of its cells in pixels.
        scales: Of each map, and of one more, the side of its smallest square as a share of the
            image's.
        ratios: Of each map, ratios of sides beside 1; each stands for itself and its inverse.
    """

    own_maps: int
    shrinks: tuple[Shrink, ...]
    steps: tuple[int, ...]
    scales: tuple[float, ...]
    ratios: tuple[tuple[int, ...], ...]

    @property
    def per_cell(self) -> tuple[int, ...]:
        """Boxes in a cell of each map."""
        return tuple(2 + 2 * len(ratios) for ratios in self.ratios)


def default_boxes(layout: DefaultBoxes, height: int, width: int) -> Anchors:
    """Lays out the default boxes of an image; constants of a compiled function, hence numpy.

    Within a map rows come first, then columns, then the boxes of one cell: the square of its scale,
    the one between its scale and the next, then each ratio and its inverse.

    Args:
        layout: Maps and shapes.
        height: Of the image in pixels.
        width: Of the image in pixels.
    """
    sides = np.array([width, height], np.float32)
    levels = []
    rows, columns = _sizes(layout, height), _sizes(layout, width)
    for k, step in enumerate(layout.steps):
        scale, following = layout.scales[k : k + 2]
        shapes = [(scale, scale), (math.sqrt(scale * following),) * 2]
        for ratio in layout.ratios[k]:
            root = math.sqrt(ratio)
            shapes += [(scale * root, scale / root), (scale / root, scale * root)]
        half = np.clip(np.array(shapes, np.float32), 0, 1) / 2
        y, x = np.mgrid[: rows[k], : columns[k]].astype(np.float32) + np.float32(0.5)
        center = np.stack([x, y], axis=-1).reshape(-1, 1, 2) * step / sides
        boxes = np.concatenate([center - half, center + half], axis=-1)
        levels.append((boxes * np.tile(sides, 2)).reshape(-1, 4))
    boxes = np.concatenate(levels).astype(np.float32)
    return Anchors(boxes, tuple(map(len, levels)), height, width)


def _sizes(layout: DefaultBoxes, side: int) -> list[int]:
    """Cells of the maps along a side of the image."""
    size = side
    for _ in range(3):
        size = -(-size // 2)
    sizes = [size]
    for _ in range(layout.own_maps - 1):
        sizes.append(-(-sizes[-1] // 2))
    for kernel, stride, padding in layout.shrinks:
        sizes.append((sizes[-1] + 2 * padding - kernel) // stride + 1)
    return sizes
