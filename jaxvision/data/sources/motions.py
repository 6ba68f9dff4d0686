"""Clips of a moving shape, drawn when they are read; the class is the motion alone.

A shape enters again on the other side of where it leaves, so that every single frame is as likely
in each class: a network that sees one frame stays at chance.
"""

import cv2
import numpy as np

from jaxvision.data.sources.drawn import DrawnClasses
from jaxvision.data.sources.labelled import describe_labels
from jaxvision.ops import ranges

# Directions as (columns, rows) of a step.
_STEPS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
CLASSES = tuple(_STEPS)


class Motions(DrawnClasses):
    """A disc, square or triangle on a noisy ground, which moves left, right, up or down.

    Attributes:
        classes: `left`, `right`, `up`, `down`.
        labels: Class of each clip [I] int32; all classes are equally frequent.
    """

    kind, smallest, classes = "motions", 16, CLASSES

    def __init__(
        self,
        length: int = 2_000,
        *,
        frames: int = 8,
        image_size: int = 32,
        seed: int = 0,
        split: str = "train",
        classes: tuple[str, ...] | None = None,
    ) -> None:
        """Describes a split as `Drawn` does, of clips with so many frames, at least 2."""
        super().__init__(length, image_size, seed, split, classes)
        ranges.check({"data.frames": frames}, "[2, 1_024]", "data.frames")
        self._frames = frames
        self.labels = (np.arange(length) % len(CLASSES)).astype(np.int32)

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Draws a clip [T, H, W, 3] at full size."""
        del max_reduction
        motion = CLASSES[self.labels[index]]
        return draw(self._rng(index), motion, self._frames, self._size), 1

    def describe(self, max_objects: int | None = None) -> str:
        """Reports what the split is."""
        del max_objects
        return (
            f"{describe_labels(self._name, self.labels, CLASSES)}; clips of {self._frames} frames, "
            f"{self._size} x {self._size} pixels, drawn with seed {self._seed}"
        )


def draw(rng: np.random.Generator, motion: str, frames: int, size: int) -> np.ndarray:
    """Draws a clip [T, size, size, 3] uint8; `rng` decides all but the direction."""
    ground, color = rng.integers(0, 120, 3), rng.integers(130, 256, 3)
    tile = np.empty((size, size, 3), np.uint8)
    tile[:] = ground
    radius = size * rng.uniform(0.1, 0.2)
    angles = np.arange(int(rng.choice([3, 4, 24]))) + rng.uniform()
    angles = angles * 2 * np.pi / len(angles)
    corners = size / 2 + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    cv2.fillPoly(tile, [np.rint(corners).astype(np.int32)], color.tolist(), cv2.LINE_AA)
    place, speed = rng.integers(0, size, 2), rng.uniform(0.04, 0.1) * size
    columns, rows = _STEPS[motion]
    clip = np.empty((frames, size, size, 3), np.float32)
    for t in range(frames):
        shift = round(t * speed)
        clip[t] = np.roll(tile, (place[0] + rows * shift, place[1] + columns * shift), (0, 1))
    clip += rng.normal(0, 8, clip.shape)
    return np.clip(clip, 0, 255).astype(np.uint8)
