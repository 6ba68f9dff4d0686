"""How close a picture is to another one, with the conventions of MATLAB.

SSIM: Wang et al. 2004, https://doi.org/10.1109/TIP.2003.819861.
"""

import cv2
import numpy as np

_SIDE, _SIGMA = 11, 1.5  # of the window of SSIM, as in the paper's section III-C
_K1, _K2 = 0.01, 0.03


def rmse(one: np.ndarray, other: np.ndarray) -> float:
    """Computes the root of the mean squared error over all pixels and channels.

    Args:
        one: Picture [H, W] or [H, W, C].
        other: Another one of the same shape and range.

    Raises:
        ValueError: If the shapes differ.
    """
    _check(one, other)
    return float(np.sqrt(np.square(one.astype(np.float64) - other.astype(np.float64)).mean()))


def psnr(one: np.ndarray, other: np.ndarray, *, peak: float = 255.0) -> float:
    """Computes the peak signal-to-noise ratio in dB; infinite for equal pictures.

    Args:
        one: Picture [H, W] or [H, W, C].
        other: Another one of the same shape and range.
        peak: The largest value.

    Raises:
        ValueError: If the shapes differ.
    """
    error = rmse(one, other)
    return float("inf") if error == 0 else float(20 * np.log10(peak / error))


def ssim(one: np.ndarray, other: np.ndarray, *, peak: float = 255.0) -> float:
    """Computes the mean structural similarity, in [-1, 1]; of colours the mean over channels.

    Windows of 11 x 11 pixels with Gaussian weights that lie inside of the picture, and covariances
    that divide by the sum of the weights.

    Args:
        one: Picture [H, W] or [H, W, C].
        other: Another one of the same shape and range.
        peak: The largest value.

    Raises:
        ValueError: If the shapes differ, or a side is below 11 pixels.
    """
    _check(one, other)
    if min(one.shape[:2]) < _SIDE:
        raise ValueError(
            f"SSIM needs pictures of at least {_SIDE} x {_SIDE} pixels, got "
            f"{one.shape[0]} x {one.shape[1]}"
        )
    x, y = one.astype(np.float64), other.astype(np.float64)
    mean_x, mean_y = _filtered(x), _filtered(y)
    var_x = _filtered(x * x) - mean_x**2
    var_y = _filtered(y * y) - mean_y**2
    covariance = _filtered(x * y) - mean_x * mean_y
    c1, c2 = (_K1 * peak) ** 2, (_K2 * peak) ** 2
    similarity = ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    )
    return float(similarity.mean())


def shaved(image: np.ndarray, border: int) -> np.ndarray:
    """Cuts a border off a picture [H, W, ...].

    Raises:
        ValueError: If nothing is left.
    """
    if border < 0 or 2 * border >= min(image.shape[:2]):
        raise ValueError(
            f"border must be at least 0 and leave something of {image.shape[0]} x "
            f"{image.shape[1]} pixels, got {border}"
        )
    return image[border : image.shape[0] - border, border : image.shape[1] - border]


def _filtered(x: np.ndarray) -> np.ndarray:
    half = _SIDE // 2
    kernel = cv2.getGaussianKernel(_SIDE, _SIGMA, cv2.CV_64F)
    return shaved(cv2.sepFilter2D(x, cv2.CV_64F, kernel, kernel), half)


def _check(one: np.ndarray, other: np.ndarray) -> None:
    if one.shape != other.shape or not one.size:
        raise ValueError(
            f"pictures must have the same shape, got {list(one.shape)} and {list(other.shape)}"
        )
