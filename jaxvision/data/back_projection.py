"""Iterative back-projection: an enlarged picture, made small, should be the picture it is made of.

Irani and Peleg 1991, https://doi.org/10.1016/1049-9652(91)90045-L.
"""

import numpy as np

from jaxvision.data.imresize import imresize


def back_projected(large: np.ndarray, low: np.ndarray, steps: int) -> np.ndarray:
    """Adds the enlarged difference between a picture and the small version of its enlargement.

    Args:
        large: Enlarged picture [s * H, s * W, C] in [0, 255], float.
        low: The picture [H, W, C] in [0, 255].
        steps: How often.

    Returns:
        [s * H, s * W, C], neither rounded nor clipped, of the dtype of `large`.
    """
    scale = large.shape[0] // low.shape[0]
    small = low.astype(large.dtype)
    for _ in range(steps):
        error = small - imresize(large, 1 / scale)
        large = large + imresize(error, scale)
    return large
