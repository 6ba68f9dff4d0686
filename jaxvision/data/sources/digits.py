"""Digits in stroke fonts, drawn when they are read; a small network learns them in a minute."""

import cv2
import numpy as np

from jaxvision.data.sources.drawn import DrawnClasses

CLASSES = tuple("0123456789")
_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
)
# Drawn at this size and scaled down by area, so that strokes have soft edges.
_SIDE = 96


class Digits(DrawnClasses):
    """White digits on black, as in MNIST: rotated, slanted, scaled, shifted and noisy.

    Attributes:
        classes: `0` to `9`.
        labels: Class of each image [I] int32; all classes are equally frequent.
    """

    kind, smallest, classes = "digits", 8, CLASSES

    def __init__(
        self,
        length: int = 10_000,
        *,
        image_size: int = 28,
        seed: int = 0,
        split: str = "train",
        classes: tuple[str, ...] | None = None,
        noise: tuple[float, float] = (4.0, 24.0),
    ) -> None:
        """Describes a split as `Drawn` does, `image_size` at least 8.

        `noise` is the range of the noise's standard deviation, which differs between images, in
        grey levels of 255.
        """
        super().__init__(length, image_size, seed, split, classes)
        self._noise = noise
        self.labels = (np.arange(length) % len(CLASSES)).astype(np.int32)

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Draws a picture [H, W, 3] at full size."""
        del max_reduction
        digit = CLASSES[self.labels[index]]
        return draw(self._rng(index), digit, self._size, self._noise), 1


def draw(
    rng: np.random.Generator, digit: str, size: int, noise: tuple[float, float] = (4.0, 24.0)
) -> np.ndarray:
    """Draws a digit [size, size, 3] uint8, three equal channels; `rng` decides how it looks."""
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
    small = small * rng.uniform(0.6, 1.0) + rng.normal(0.0, rng.uniform(*noise), small.shape)
    return np.repeat(np.clip(small, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
