"""What the transforms of one image have in common."""

from typing import Protocol

import numpy as np


class Transform(Protocol):
    """Changes an image with its objects; nothing given is written to.

    `boxes` are xyxy in pixels of the image, and stay so: they move with the pixels, and an object
    that is gone loses its box and its class.
    """

    def __call__(
        self,
        image: np.ndarray,
        boxes: np.ndarray,
        classes: np.ndarray,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Maps an image [H, W, 3], boxes [n, 4] and classes [n] to the same of another size."""
        ...
