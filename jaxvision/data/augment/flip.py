"""Mirror images."""

import dataclasses

import cv2
import numpy as np


@dataclasses.dataclass(frozen=True)
class HorizontalFlip:
    """Mirrors left and right.

    Attributes:
        probability: How often.
    """

    probability: float = 0.5

    def __call__(
        self, image: np.ndarray, boxes: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Maps an image [H, W, 3] and its boxes [n, 4], xyxy in pixels, to the same shapes."""
        if rng.random() >= self.probability:
            return image, boxes
        width = image.shape[1]
        # x1 and x2 change places: the right edge becomes the left one.
        x1, y1, x2, y2 = boxes.T
        return cv2.flip(image, 1), np.stack([width - x2, y1, width - x1, y2], axis=1)


@dataclasses.dataclass(frozen=True)
class VerticalFlip:
    """Mirrors top and bottom: for pictures from above, through a microscope, and the like.

    Attributes:
        probability: How often.
    """

    probability: float = 0.5

    def __call__(
        self, image: np.ndarray, boxes: np.ndarray, classes: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Maps an image [H, W, 3], its boxes [n, 4] and classes [n] to the same shapes."""
        if rng.random() >= self.probability:
            return image, boxes, classes
        height = image.shape[0]
        x1, y1, x2, y2 = boxes.T
        boxes = np.stack([x1, height - y2, x2, height - y1], axis=1)
        return cv2.flip(image, 0), boxes, classes
