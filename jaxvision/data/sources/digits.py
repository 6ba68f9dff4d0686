"""A classification dataset that is drawn when it is read: digits in stroke fonts.

It needs no download and no disk, and a small network learns it from scratch in a minute. Image i of
a split is always the same picture.
"""

import zlib

import cv2
import numpy as np

from jaxvision.data.source import Annotation
from jaxvision.data.sources.labelled import Labelled, check_same_classes, describe_labels

CLASSES = tuple("0123456789")
_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
)
# Drawn at this size and scaled down by area, so that strokes have soft edges.
_SIDE = 96


class Digits(Labelled):
    """White digits on black, as in MNIST: rotated, slanted, scaled, shifted and noisy.

    Attributes:
        classes: `0` to `9`.
        labels: Class of each image [I] int32; all classes are equally frequent.
    """

    classes = CLASSES

    def __init__(
        self, length: int, *, image_size: int = 28, seed: int = 0, split: str = "train"
    ) -> None:
        """Describes a split; nothing is drawn yet.

        Args:
            length: Number of pictures.
            image_size: Their side in pixels.
            seed: Another seed is another dataset.
            split: Any name; splits of other names have other pictures.

        Raises:
            ValueError: If `length` is not positive, or `image_size` is below 8.
        """
        if length < 1:
            raise ValueError(f"length must be at least 1, got {length}")
        if image_size < 8:
            raise ValueError(f"image_size must be at least 8, got {image_size}")
        self.labels = (np.arange(length) % len(CLASSES)).astype(np.int32)
        self._size = image_size
        self._seed = seed
        self._split = split
        self._name = f"digits/{split}"

    def annotation(self, index: int) -> Annotation:
        """Returns the height and width of every image."""
        del index
        return Annotation(self._size, self._size)

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Draws a picture [H, W, 3] at full size."""
        del max_reduction
        if not 0 <= index < len(self):
            raise IndexError(f"index must be in [0, {len(self)}), got {index}")
        rng = np.random.default_rng([self._seed, zlib.crc32(self._split.encode()), index])
        return draw(rng, CLASSES[self.labels[index]], self._size), 1

    def name(self, index: int) -> str:
        """Names a picture."""
        return f"{self._name}[{index}]"

    def describe(self, max_objects: int | None = None) -> str:
        """Reports what the split is."""
        del max_objects
        return (
            f"{describe_labels(self._name, self.labels, CLASSES)}; {self._size} x {self._size} "
            f"pixels, drawn with seed {self._seed}"
        )


def draw(rng: np.random.Generator, digit: str, size: int) -> np.ndarray:
    """Draws a digit.

    Args:
        rng: Decides everything but which digit.
        digit: `0` to `9`.
        size: Side in pixels.

    Returns:
        RGB image [size, size, 3] uint8, its channels equal.
    """
    font = _FONTS[int(rng.integers(len(_FONTS)))]
    stroke = int(rng.integers(3, 9))
    (width, height), _ = cv2.getTextSize(digit, font, 2.4, stroke)
    canvas = np.zeros((_SIDE, _SIDE), np.uint8)
    origin = (_SIDE - width) // 2, (_SIDE + height) // 2
    cv2.putText(canvas, digit, origin, font, 2.4, 255, stroke, cv2.LINE_AA)

    # Up to 15 degrees: a 6 never becomes a 9.
    angle, slant = np.deg2rad(rng.uniform(-15, 15)), rng.uniform(-0.25, 0.25)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[1.0, slant], [0.0, 1.0]]) * rng.uniform(0.75, 1.1)
    center = np.full(2, (_SIDE - 1) / 2)
    shift = center + rng.uniform(-0.08, 0.08, 2) * _SIDE - matrix @ center
    canvas = cv2.warpAffine(canvas, np.column_stack([matrix, shift]), (_SIDE, _SIDE))

    small = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    small = small * rng.uniform(0.6, 1.0) + rng.normal(0.0, rng.uniform(4, 24), small.shape)
    return np.repeat(np.clip(small, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def digits(
    split: str,
    *,
    length: int = 10_000,
    image_size: int = 28,
    seed: int = 0,
    classes: tuple[str, ...] | None = None,
) -> Digits:
    """Opens a split of `Digits`.

    Raises:
        DataError: If `classes` are given and are not those of the pictures.
    """
    check_same_classes("digits", CLASSES, classes)
    return Digits(length, image_size=image_size, seed=seed, split=split)
