"""The middle of an image, as networks for classification are evaluated on it."""

import dataclasses

import cv2
import numpy as np
from PIL import Image


@dataclasses.dataclass(frozen=True)
class CenterCrop:
    """Resizes the shorter side and cuts the middle, pixel for pixel as torchvision does on Pillow.

    Attributes:
        size: Height and width of the result in pixels. What an image lacks is black.
        resize: Length of the shorter side before the cut in pixels; None to leave the image as it
            is. Pillow's bilinear filter, which covers all pixels where the image shrinks.
    """

    size: tuple[int, int]
    resize: int | None = None

    def __post_init__(self) -> None:
        if self.resize is not None and self.resize < 1:
            raise ValueError(f"resize must be at least 1 or None, got {self.resize}")

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Maps an RGB image [H, W, 3] uint8 to [*size, 3]."""
        height, width = image.shape[:2]
        if self.resize is not None and min(height, width) != self.resize:
            shorter = min(height, width)
            height, width = height * self.resize // shorter, width * self.resize // shorter
            resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
            image = np.asarray(resized)
        image = pad_to(image, self.size)
        # Half a pixel goes to the even side, as Python rounds.
        top = round((image.shape[0] - self.size[0]) / 2)
        left = round((image.shape[1] - self.size[1]) / 2)
        return image[top : top + self.size[0], left : left + self.size[1]]


def pad_to(image: np.ndarray, size: tuple[int, int], margin: int = 0) -> np.ndarray:
    """Surrounds an image with black.

    Args:
        image: Image [H, W, 3] uint8.
        size: Least height and width of the result in pixels.
        margin: Pixels added on every side besides.

    Returns:
        Image [max(H, size[0]) + 2 * margin, max(W, size[1]) + 2 * margin, 3]; the image itself if
        nothing is missing.
    """
    missing_rows = max(0, size[0] - image.shape[0])
    missing_columns = max(0, size[1] - image.shape[1])
    if not (missing_rows or missing_columns or margin):
        return image
    return cv2.copyMakeBorder(
        image,
        missing_rows // 2 + margin,
        missing_rows - missing_rows // 2 + margin,
        missing_columns // 2 + margin,
        missing_columns - missing_columns // 2 + margin,
        cv2.BORDER_CONSTANT,
    )
