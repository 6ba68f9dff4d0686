"""Bicubic resizing as MATLAB's `imresize` computes it, antialiased where an image shrinks.

Low-resolution images of published super-resolution results were made by it. OpenCV's cubic has
other coefficients and no antialiasing, and Pillow's drops what the kernel has outside of the image.

Keys 1981, https://doi.org/10.1109/TASSP.1981.1163711, with a = -0.5.
"""

import functools
import math

import numpy as np

EDGES = ("symmetric", "replicate")


def cubic(x: np.ndarray) -> np.ndarray:
    """Evaluates Keys' kernel, 0 from a distance of 2 on."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x**2 + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


@functools.lru_cache(maxsize=256)
def resize_matrix(length: int, size: int, scale: float, edges: str = "symmetric") -> np.ndarray:
    """Returns the matrix [size, length] float64 that resizes along one axis, not to be written to.

    Args:
        length: Pixels of the image.
        size: Pixels of the result.
        scale: Pixels of the result for one of the image; below 1 the kernel is widened.
        edges: What lies outside of the image: its mirror image (`symmetric`) or its outermost
            pixels (`replicate`, MATLAB before about 2015).

    Raises:
        ValueError: If a value is out of its range.
    """
    if length < 1 or size < 1 or scale <= 0:
        raise ValueError(
            f"length, size and scale must be positive, got {length}, {size} and {scale}"
        )
    if edges not in EDGES:
        raise ValueError(f"edges must be one of {', '.join(EDGES)}, got {edges}")
    shrink = min(scale, 1.0)
    width = 4 / shrink
    centre = (np.arange(size) + 0.5) / scale - 0.5
    first = np.floor(centre - width / 2)
    places = first[:, None] + np.arange(math.ceil(width) + 2)[None] + 1
    weights = shrink * cubic(shrink * (centre[:, None] - places))
    weights /= weights.sum(axis=1, keepdims=True)
    if edges == "symmetric":
        places = places % (2 * length)
        places = np.where(places < length, places, 2 * length - 1 - places)
    else:
        places = np.clip(places, 0, length - 1)
    matrix = np.zeros((size, length))
    rows = np.broadcast_to(np.arange(size)[:, None], places.shape)
    np.add.at(matrix, (rows, places.astype(np.int64)), weights)
    matrix.flags.writeable = False
    return matrix


def imresize(image: np.ndarray, scale: float, *, edges: str = "symmetric") -> np.ndarray:
    """Resizes an image by a factor, height before width.

    An image of 8 bits is rounded and clipped after each of the two, as by MATLAB; a float image is
    neither.

    Args:
        image: [H, W, C], uint8 or float.
        scale: Factor of both sides.
        edges: As for `resize_matrix`.

    Returns:
        [ceil(scale * H), ceil(scale * W), C], uint8 of uint8, else float64 of float64 and float32
        of other floats.
    """
    if scale == 1:
        return image
    eight_bits = image.dtype == np.uint8
    # Products in float32 would move halves, which are rounded up, to either side.
    x = image.astype(np.float64)
    for axis in (0, 1):
        length = image.shape[axis]
        # 3 * (1 / 3) must not become 1.0000000000000002, which is rounded up to 2.
        size = math.ceil(scale * length - 1e-9)
        x = np.moveaxis(
            np.tensordot(resize_matrix(length, size, scale, edges), x, (1, axis)), 0, axis
        )
        if eight_bits:
            x = rounded(x)
    if eight_bits:
        return x.astype(np.uint8)
    return x if image.dtype == np.float64 else x.astype(np.float32)


def rounded(x: np.ndarray) -> np.ndarray:
    """Rounds to [0, 255] as MATLAB's `uint8` does, halves up; the dtype stays."""
    # An exact half may have been computed a rounding error below it.
    return np.clip(np.floor(x + (0.5 + 1e-9)), 0, 255)


def upscaled(image: np.ndarray, factor: int) -> np.ndarray:
    """Enlarges an image [H, W, C] uint8 or float to [factor * H, factor * W, C] float32.

    Neither rounded nor clipped.
    """
    return imresize(image.astype(np.float32), factor)
