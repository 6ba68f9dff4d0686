"""Samples an image once, by one matrix, into its place on a canvas.

A chain of resizing, pasting and warping is composed to one matrix. Coordinates are those of pixel
centres, as OpenCV's: pixel (0, 0) covers [-0.5, 0.5].
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np

# Tiles overlap by this part of a pixel, so that rounding leaves no gap between them.
_OVERLAP = 1 / 16


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Maps points [n, 2] by a matrix [2, 3]."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def reduction(matrix: np.ndarray, scale: float) -> int:
    """Returns by how much an image may be reduced, 8, 4, 2 or 1, without being enlarged again.

    It is scaled by `scale`, then mapped by a matrix [2, 3].
    """
    # The largest factor in any direction: the matrix's largest singular value.
    (a, b), (c, d) = matrix[:, :2].tolist()
    largest = (math.hypot(a + d, b - c) + math.hypot(a - d, b + c)) / 2 * scale
    return next((by for by in (8, 4, 2) if largest * by <= 1), 1)


def extent(
    seen: tuple[float, float, float, float], matrix: np.ndarray, size: tuple[int, int]
) -> tuple[int, int, int, int] | None:
    """Returns which rectangle of a result of `size` a mapped rectangle reaches, None if none.

    Args:
        seen: x1, y1, x2, y2 of the rectangle: pixels x1 to x2 - 1.
        matrix: From its pixels to those of the result [2, 3].
        size: Height and width of the result.
    """
    x1, y1, x2, y2 = seen
    corners = apply(matrix, np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]) - 0.5)
    # A rotated rectangle may miss the result although the box around it does not. So the result
    # must reach the rectangle in the other direction, too.
    back = cv2.invertAffineTransform(matrix)
    height, width = size
    window = apply(back, np.array([[0, 0], [width, 0], [width, height], [0, height]]) - 0.5)
    low, high = window.min(0), window.max(0)
    if (low >= (x2, y2)).any() or (high <= (x1 - 1, y1 - 1)).any():
        return None
    left, top = np.maximum(np.ceil(corners.min(0)), 0).astype(int).tolist()
    right, bottom = np.minimum(np.floor(corners.max(0)) + 1, (width, height)).astype(int).tolist()
    return (left, top, right, bottom) if left < right and top < bottom else None


def paint(
    canvas: np.ndarray,
    image: np.ndarray,
    seen: Sequence[float],
    matrix: np.ndarray,
    where: Sequence[int],
    interpolation: int = cv2.INTER_LINEAR,
) -> None:
    """Draws an image stretched over a rectangle and then mapped by a matrix.

    The centres of the image's outermost pixels come to lie on the rectangle's border: it is too
    large by half a pixel on each side, and rectangles that touch leave no gap between them.

    Args:
        canvas: Written to where the rectangle is seen, nowhere else [H, W, 3] or [H, W].
        image: Pixels [h, w, 3] or [h, w].
        seen: The rectangle, x1, y1, x2, y2: pixels x1 to x2 - 1.
        matrix: From pixels of the rectangle's plane to those of the canvas [2, 3].
        where: The rectangle's `extent` on the canvas.
        interpolation: OpenCV's linear or nearest.
    """
    height, width = image.shape[:2]
    if min(height, width) < 2:
        image = cv2.resize(image, (max(2, width), max(2, height)), interpolation=interpolation)
        height, width = image.shape[:2]
    x1, y1, x2, y2 = seen
    x, y = (x2 - x1 + 2 * _OVERLAP) / (width - 1), (y2 - y1 + 2 * _OVERLAP) / (height - 1)
    left, top, right, bottom = where
    origin = apply(matrix, np.array([x1, y1]) - 0.5 - _OVERLAP) - (left, top)
    matrix = np.column_stack([matrix[:, 0] * x, matrix[:, 1] * y, origin])
    cv2.warpAffine(
        image,
        matrix,
        (right - left, bottom - top),
        dst=canvas[top:bottom, left:right],
        flags=interpolation,
        borderMode=cv2.BORDER_TRANSPARENT,
    )


def part_of(image: np.ndarray, part: tuple[float, float, float, float]) -> np.ndarray:
    """Returns a part of an image without copying it, to the nearest whole pixels, at least one.

    Args:
        image: Pixels [H, W, 3] or [H, W].
        part: x1, y1, x2, y2 as fractions of its width and height.
    """
    height, width = image.shape[:2]
    x1, x2 = round(part[0] * width), round(part[2] * width)
    y1, y2 = round(part[1] * height), round(part[3] * height)
    x1, y1 = min(x1, width - 1), min(y1, height - 1)
    return image[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)]
