"""What a detection dataset yields before any transform, and what it has to offer besides."""

from typing import NamedTuple, Protocol

import numpy as np


class DetectionExample(NamedTuple):
    """One image with its n objects; n may be 0.

    Attributes:
        image: RGB pixels [H, W, 3] uint8.
        boxes: xyxy in pixels of `image`, inside it and not empty [n, 4] float32.
        classes: Index into the source's `classes` [n] int32.
        crowd: Objects that are never trained on and that the metric ignores [n] bool.
        area: Object areas in pixels [n] float32; of the mask where the data has one, else of the
            box.
    """

    image: np.ndarray
    boxes: np.ndarray
    classes: np.ndarray
    crowd: np.ndarray
    area: np.ndarray


class DetectionSource(Protocol):
    """Random access to detection examples; safe to read from several threads."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of their indices."""
        ...

    @property
    def max_objects(self) -> int:
        """The most objects that one image has, crowds included."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> DetectionExample: ...

    def name(self, index: int) -> str:
        """Says which image that is, for messages: a path where there is one."""
        ...

    def describe(self, max_objects: int | None = None) -> str:
        """Reports what was read and what was mended, a few lines.

        Args:
            max_objects: With a number, images that hold more objects to train on are counted too.
        """
        ...
