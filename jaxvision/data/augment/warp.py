"""One affine look at an image, straight into the place where it is seen.

Chains of resizing, pasting and warping are composed to one matrix and read each image once.
Coordinates are those of pixel centres, as OpenCV's: pixel (0, 0) covers [-0.5, 0.5].
"""

import cv2
import numpy as np

from jaxvision.data.example import LazyDetectionSource

_REDUCTIONS = (8, 4, 2)
# Polygons are drawn in 1/16 pixels.
_SHIFT = 4


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Returns the matrix [2, 3] of `inner` followed by `outer`, both [2, 3]."""
    product = outer[:, :2] @ inner
    product[:, 2] += outer[:, 2]
    return product


def resizing(old: tuple[int, int], new: tuple[int, int]) -> np.ndarray:
    """Returns the matrix [2, 3] of `cv2.resize` from one (height, width) to another.

    The corners of the images meet, not the centres of the corner pixels.
    """
    y, x = new[0] / old[0], new[1] / old[1]
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2]])


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Maps points [n, 2] by a matrix [2, 3]."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def rectangle(x1: float, y1: float, x2: float, y2: float) -> np.ndarray:
    """Returns the corners [4, 2] of the pixels x1 to x2 - 1, y1 to y2 - 1, in order around them."""
    return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]) - 0.5


def reduction(matrix: np.ndarray) -> int:
    """Returns by how much an image may be reduced before a matrix shrinks it: 8, 4, 2 or 1."""
    scale = np.linalg.norm(matrix[:, :2], 2)
    return next((by for by in _REDUCTIONS if scale * by <= 1), 1)


def paint(
    canvas: np.ndarray,
    outline: np.ndarray,
    matrix: np.ndarray,
    source: LazyDetectionSource,
    index: int,
    *,
    max_reduction: int = 8,
) -> None:
    """Draws an image of a source onto a canvas; one that would not be seen is not even read.

    Args:
        canvas: Written to inside `outline` only [H, W, 3] uint8.
        outline: Corners of a convex area of the canvas [4, 2].
        matrix: From pixels of the image at full size to those of the canvas [2, 3].
        source: Where the image comes from.
        index: Which image.
        max_reduction: An image that shrinks is read at a fraction of its size, down to this.
    """
    height, width = canvas.shape[:2]
    # A pixel is inside if its centre is.
    x1, y1 = np.maximum(np.ceil(outline.min(0)).astype(int), 0).tolist()
    x2, y2 = np.minimum(np.floor(outline.max(0)).astype(int) + 1, (width, height)).tolist()
    if x1 >= x2 or y1 >= y2:
        return
    window = (slice(y1, y2), slice(x1, x2))
    outline = outline - (x1, y1)
    mask = _mask(outline, y2 - y1, x2 - x1)
    if mask is not None and not mask.any():
        return

    image, by = source.image(index, min(reduction(matrix), max_reduction))
    # The edge goes on for a pixel, for what lies between the last pixel's centre and its border.
    image = cv2.copyMakeBorder(image, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    # Pixel p of the padded image shows the pixels around (p - 1) * by + (by - 1) / 2.
    shift = (by - 1) / 2 - by
    matrix = compose(matrix, np.array([[by, 0, shift], [0, by, shift]], float))
    matrix[:, 2] -= (x1, y1)
    warped = cv2.warpAffine(image, matrix, (x2 - x1, y2 - y1))
    if mask is None:
        canvas[window] = warped
    else:
        cv2.copyTo(warped, mask, canvas[window])


def _mask(outline: np.ndarray, height: int, width: int) -> np.ndarray | None:
    """Returns 255 inside an outline [height, width] uint8, or None where that is everywhere."""
    corners = np.array(
        [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], dtype=float
    )
    along = np.roll(outline, -1, axis=0) - outline
    offset = corners[:, None] - outline
    # On which side of each edge each corner of the window is; an outline may be mirrored.
    side = along[:, 0] * offset[..., 1] - along[:, 1] * offset[..., 0]
    if (side >= 0).all() or (side <= 0).all():
        return None
    mask = np.zeros((height, width), np.uint8)
    # Far corners would overflow OpenCV's fixed point; 2^15 pixels beyond the canvas do not occur.
    points = np.rint(outline * (1 << _SHIFT)).astype(np.int32)
    return cv2.fillConvexPoly(mask, points, 255, cv2.LINE_8, _SHIFT)
