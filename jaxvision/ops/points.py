"""Anchor points: the place in the image that each prediction of a dense detector belongs to."""

from typing import NamedTuple

import numpy as np


class AnchorPoints(NamedTuple):
    """The cells of all levels, in the order of the strides, rows first.

    Attributes:
        centers: x, y of the centre of each cell in pixels [A, 2] float32.
        strides: Side of each cell in pixels [A] float32.
    """

    centers: np.ndarray
    strides: np.ndarray


def anchor_points(height: int, width: int, strides: tuple[int, ...]) -> AnchorPoints:
    """Lays out the cells of an image; constants of a compiled function, hence numpy.

    Args:
        height: Of the image in pixels, a multiple of every stride.
        width: Of the image in pixels.
        strides: Strides of the levels, ascending.
    """
    centers, sides = [], []
    for stride in strides:
        y, x = np.mgrid[: height // stride, : width // stride]
        centers.append(np.stack([x, y], axis=-1).reshape(-1, 2) * stride + stride / 2)
        sides.append(np.full(x.size, stride))
    return AnchorPoints(
        np.concatenate(centers).astype(np.float32), np.concatenate(sides).astype(np.float32)
    )
