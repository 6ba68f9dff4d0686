"""Characters of alphabets that nobody writes, drawn when they are read: few-shot without data."""

import zlib

import cv2
import numpy as np

from jaxvision.data.sources.drawn import DrawnClasses
from jaxvision.ops import ranges

# Drawn at this size and scaled down by area, so that strokes have soft edges.
_SIDE = 96


class Glyphs(DrawnClasses):
    """White strokes on black: a class is a few curves, each drawing a shaky copy of them.

    Splits of other names have other classes.

    Attributes:
        labels: Class of each drawing [I] int32.
    """

    kind, smallest = "glyphs", 8

    def __init__(
        self,
        characters: int = 60,
        *,
        drawings: int = 20,
        image_size: int = 28,
        seed: int = 0,
        split: str = "train",
    ) -> None:
        """Describes a split.

        Args:
            characters: Number of classes.
            drawings: Images of each.
            image_size: Their side in pixels, at least 8.
            seed: Another seed is other characters.
            split: Any name.

        Raises:
            ValueError: If a number is too small.
        """
        numbers = {"characters": characters, "drawings": drawings}
        ranges.check(numbers, "[1, 100_000]", "characters", "drawings")
        self.classes = tuple(f"{split}{k}" for k in range(characters))
        super().__init__(characters * drawings, image_size, seed, split, None)
        self.labels = np.repeat(np.arange(characters, dtype=np.int32), drawings)

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Draws a character [H, W, 3] at full size."""
        del max_reduction
        rng = self._rng(index)
        split = zlib.crc32(self._split.encode())
        of_class = np.random.default_rng([self._seed, split, int(self.labels[index]), 1])
        return draw(of_class, rng, self._size), 1


def draw(character: np.random.Generator, hand: np.random.Generator, size: int) -> np.ndarray:
    """Draws a character [size, size, 3] uint8; `character` decides which, `hand` how it looks."""
    canvas = np.zeros((_SIDE, _SIDE), np.uint8)
    angle, stretch = np.deg2rad(hand.uniform(-10, 10)), hand.uniform(0.85, 1.15, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = hand.uniform(-0.05, 0.05, 2)
    thickness = int(hand.integers(4, 7))
    for _ in range(int(character.integers(2, 5))):
        # A quadratic curve through the ends, bent towards a third point.
        points = character.uniform(-0.4, 0.4, (3, 2)) + hand.normal(0, 0.035, (3, 2))
        t = np.linspace(0, 1, 20)[:, None]
        curve = (1 - t) ** 2 * points[0] + 2 * t * (1 - t) * points[1] + t**2 * points[2]
        pixels = ((curve * stretch) @ turn.T + shift + 0.5) * _SIDE
        cv2.polylines(canvas, [np.rint(pixels).astype(np.int32)], False, 255, thickness)
    small = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return np.repeat(small[..., None], 3, axis=2)
