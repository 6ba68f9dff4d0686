"""Fits images of any size into the network's input without changing their aspect ratio.

YOLOX (Ge et al. 2021, https://arxiv.org/abs/2107.08430): bilinear to the largest size that fits, at
the top left, the rest filled with 114.
"""

import dataclasses

import cv2
import numpy as np

FILL = 114


def fitted(shape: tuple[int, int], size: tuple[int, int]) -> tuple[float, tuple[int, int]]:
    """Says how large an image gets that is resized to the largest size that fits.

    Args:
        shape: Its height and width.
        size: Height and width to fit into.

    Returns:
        Pixels of the result per pixel of the image; height and width, rounded down.
    """
    scale = min(size[0] / shape[0], size[1] / shape[1])
    # A strip of 2,000 x 1 pixels keeps one row.
    return scale, (max(1, int(shape[0] * scale)), max(1, int(shape[1] * scale)))


def fit(
    image: np.ndarray, boxes: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, float]:
    """Resizes an image, bilinearly, to the largest size that fits.

    Args:
        image: Image [H, W, 3] uint8.
        boxes: xyxy in pixels of `image` [n, 4] float32.
        size: Height and width to fit into.

    Returns:
        Image [h, w, 3] with h and w at most `size`, its boxes, and the pixels of the result per
        pixel of `image`. Sides are rounded down, boxes are not, as in the reference.
    """
    scale, shape = fitted((image.shape[0], image.shape[1]), size)
    if shape != image.shape[:2]:
        image = cv2.resize(image, shape[::-1], interpolation=cv2.INTER_LINEAR)
    return image, boxes * np.float32(scale), scale


def pad(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Fills up an image to the right and below.

    Args:
        image: Image [h, w, 3], at most `size`.
        size: Height and width of the result.

    Returns:
        Image [*size, 3] uint8; the image itself if nothing is missing.
    """
    height, width, _ = image.shape
    if (height, width) == tuple(size):
        return image
    canvas = np.full((*size, 3), FILL, np.uint8)
    canvas[:height, :width] = image
    return canvas


@dataclasses.dataclass(frozen=True)
class Letterbox:
    """`fit` and `pad` in one.

    Attributes:
        size: Height and width of the result.
    """

    size: tuple[int, int]

    def __call__(
        self, image: np.ndarray, boxes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Maps an image [H, W, 3] and its boxes [n, 4] to [*size, 3], their boxes and the scale."""
        image, boxes, scale = fit(image, boxes, self.size)
        return pad(image, self.size), boxes, scale
