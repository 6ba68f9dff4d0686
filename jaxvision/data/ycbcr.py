"""RGB and YCbCr of ITU-R BT.601 with the ranges of television, as MATLAB's `rgb2ycbcr` has them.

All values are in [0, 255]: Y of a picture lies in [16, 235]. Super-resolution is measured on Y. The
functions take arrays of numpy and of jax.
"""

from typing import Any

import numpy as np

_MATRIX = (
    np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]])
    / 255
)
_OFFSET = np.array([16.0, 128.0, 128.0])
_INVERSE = np.linalg.inv(_MATRIX)
# Y of black, and how many steps of Y lie between black and white.
BLACK, RANGE = 16.0, 219.0


def luma(image: Any) -> Any:
    """Computes Y of RGB [..., 3] in [0, 255]: [...] in [16, 235], not rounded."""
    red, green, blue = _MATRIX[0].tolist()
    return red * image[..., 0] + green * image[..., 1] + blue * image[..., 2] + BLACK


def to_ycbcr(image: Any) -> Any:
    """Maps RGB [..., 3] in [0, 255] to Y, Cb, Cr [..., 3]."""
    return image @ _MATRIX.T.astype(image.dtype) + _wide(_OFFSET, image)


def to_rgb(image: Any) -> Any:
    """Maps Y, Cb, Cr [..., 3] to RGB [..., 3], neither rounded nor clipped."""
    return (image - _wide(_OFFSET, image)) @ _INVERSE.T.astype(image.dtype)


def _wide(offset: np.ndarray, image: Any) -> np.ndarray:
    return offset.astype(image.dtype).reshape((1,) * (image.ndim - 1) + (3,))
