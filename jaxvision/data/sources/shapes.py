"""Coloured shapes on textured grounds, drawn when they are read.

A small detector learns them from scratch in minutes; boxes, masks and label maps are exact.
"""

import math

import cv2
import numpy as np

from jaxvision.data.boxes import of_masks
from jaxvision.data.sample import ImageObjects, Sample, image_objects
from jaxvision.data.sources.drawn import Drawn

CLASSES = ("circle", "square", "star", "triangle")
MAX_OBJECTS = 6

# Diameter of an object as a part of the image's side.
_SMALLEST, _LARGEST = 0.16, 0.45
# Least visible share of an object: another one that would cover more is placed elsewhere.
_MIN_VISIBLE = 0.75
# Least distance in RGB between an object and the mean colour of the ground.
_MIN_CONTRAST = 110.0
# Least distance in RGB between two objects.
_MIN_DIFFERENCE = 50.0
# Coordinates are drawn in 1/16 pixels.
_SHIFT = 4


class Shapes(Drawn):
    """Pictures with 1 to 6 circles, squares, stars and triangles each.

    Objects may overlap; each box is tight around the visible pixels of its object, at least three
    quarters of it, and `area` counts them.
    """

    kind, smallest, classes = "shapes", 32, CLASSES
    max_objects = MAX_OBJECTS

    def __init__(
        self,
        length: int = 2000,
        *,
        image_size: int = 160,
        seed: int = 0,
        split: str = "train",
        classes: tuple[str, ...] | None = None,
        masks: bool = False,
        label_map: bool = False,
    ) -> None:
        """Describes a split as `Drawn` does, `image_size` at least 32.

        `masks` gives samples with instance masks, the pixels of each object that can be seen,
        `label_map` with a label map: k + 1 for class k, 0 for the ground.
        """
        super().__init__(length, image_size, seed, split, classes)
        self._masks, self._label_map = masks, label_map
        self.dense = masks or label_map

    def __getitem__(self, index: int) -> Sample:
        """Draws a picture."""
        drawing = draw(self._rng(index), self._size)
        mask = drawing.label_map() if self._label_map else None
        return Sample(drawing.image, index, drawing.objects(masks=self._masks), mask=mask)

    def describe(self, max_objects: int | None = None) -> str:
        """Reports what the split is."""
        del max_objects  # six objects fit into any detector
        return (
            f"{self._length:,} pictures of {self._size} x {self._size} pixels, drawn with seed "
            f"{self._seed}, split {self._split!r}; 1 to {MAX_OBJECTS} objects each\n"
            f"classes: {', '.join(CLASSES)}"
        )


class Drawing:
    """A picture [S, S, 3] uint8 that is being drawn."""

    def __init__(self, ground: np.ndarray) -> None:
        self.image = ground
        # Which object each pixel shows, counted from 1, 0 for the ground.
        self.owner = np.zeros(ground.shape[:2], np.uint8)
        self.classes: list[int] = []  # of the objects so far
        self._drawn: list[int] = []  # pixels of each object before others covered it

    def place(self, label: int, outline: np.ndarray, color: np.ndarray, grain: np.ndarray) -> bool:
        """Draws an object over the earlier ones, unless it would hide too much of one.

        Takes its class, corners [P, 2] in pixels, RGB colour [3] and what is added to that [S, S].
        Returns whether it was drawn.
        """
        x1, y1 = np.floor(outline.min(0)).astype(int) - 1
        x2, y2 = np.ceil(outline.max(0)).astype(int) + 2
        size = len(self.owner)
        if x1 < 0 or y1 < 0 or x2 > size or y2 > size:
            return False
        cover = np.zeros((y2 - y1, x2 - x1), np.uint8)
        points = np.round((outline - (x1, y1)) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(cover, [points], 255, cv2.LINE_AA, _SHIFT)
        mask = cover >= 128

        window = (slice(y1, y2), slice(x1, x2))
        hidden = np.bincount(self.owner[window][mask], minlength=len(self._drawn) + 1)[1:]
        if hidden.any():
            seen = np.bincount(self.owner.ravel(), minlength=len(self._drawn) + 1)[1:] - hidden
            if (seen < _MIN_VISIBLE * np.array(self._drawn)).any():
                return False

        alpha = cover[..., None] * np.float32(1 / 255)
        below = self.image[window]
        above = np.clip(color + grain[window][..., None], 0, 255)
        self.image[window] = np.rint(below + (above - below) * alpha).astype(np.uint8)
        self.classes.append(label)
        self.owner[window][mask] = len(self.classes)
        self._drawn.append(int(mask.sum()))
        return True

    def objects(self, *, masks: bool) -> ImageObjects:
        """Returns each object with a box around what can be seen of it, and perhaps its mask."""
        numbers = np.arange(1, len(self.classes) + 1, dtype=np.uint8)
        seen = self.owner == numbers[:, None, None]
        area = np.count_nonzero(seen, axis=(1, 2))
        return image_objects(of_masks(seen), self.classes, area=area, masks=seen if masks else None)

    def label_map(self) -> np.ndarray:
        """Returns k + 1 where an object of class k is seen, else 0 [S, S] uint8."""
        return np.array([0, *(label + 1 for label in self.classes)], np.uint8)[self.owner]


def draw(rng: np.random.Generator, size: int) -> Drawing:
    """Draws one picture of `size` x `size` pixels, with at least one object."""
    # The ground and all objects share one sheet of grain, at different strengths.
    sheet = rng.integers(-128, 128, (size // 2 + 1, size // 2 + 1), np.int16)
    sheet = cv2.resize(sheet, (size, size), interpolation=cv2.INTER_LINEAR)
    ground, mean = _ground(rng, size, sheet)
    drawing = Drawing(ground)
    colors: list[np.ndarray] = []
    # Few objects are as likely as many; three attempts keep crowded pictures crowded.
    for _ in range(int(rng.integers(1, MAX_OBJECTS + 1))):
        label = int(rng.integers(len(CLASSES)))
        color = _color(rng, mean, colors)
        grain = sheet * np.float32(rng.uniform(0.04, 0.16))
        for _ in range(3):
            # Uniform in the logarithm: as many small objects as large ones.
            radius = size / 2 * math.exp(rng.uniform(math.log(_SMALLEST), math.log(_LARGEST)))
            center = rng.uniform(radius + 1, size - radius - 1, 2)
            outline = center + radius * _outline(rng, CLASSES[label])
            if drawing.place(label, outline, color, grain):
                colors.append(color)
                break
    return drawing


def _outline(rng: np.random.Generator, name: str) -> np.ndarray:
    """Returns the corners [P, 2] of a shape in the unit circle, turned at random."""
    turn = rng.uniform(0, 2 * math.pi)
    if name == "circle":
        corners, radii = 40, np.ones(40)
    elif name == "star":
        corners, radii = 10, np.tile([1.0, 0.4], 5)
    else:
        corners = {"square": 4, "triangle": 3}[name]
        radii = np.ones(corners)
    angle = turn + np.arange(corners) * (2 * math.pi / corners)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * radii[:, None]


def _color(rng: np.random.Generator, ground: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
    """Draws a vivid colour that stands out from the ground and from the other objects."""
    while True:
        hue, saturation, value = rng.uniform(0, 180), rng.uniform(150, 255), rng.uniform(150, 255)
        hsv = np.array([[[hue, saturation, value]]]).astype(np.uint8)
        color = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32)
        if np.linalg.norm(color - ground) < _MIN_CONTRAST:
            continue
        if all(np.linalg.norm(color - other) >= _MIN_DIFFERENCE for other in others):
            return color


def _ground(
    rng: np.random.Generator, size: int, sheet: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Paints soft clouds, sometimes with stripes, under a fine grain."""
    mean = rng.uniform(30, 225) + rng.uniform(-20, 20, 3)
    cells = int(rng.integers(2, 7))
    clouds = mean + rng.uniform(-28, 28, (cells, cells, 3))
    ground = cv2.resize(clouds.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    texture = sheet * np.float32(rng.uniform(0.02, 0.18))
    if rng.random() < 0.5:
        angle, period = rng.uniform(0, math.pi), size * rng.uniform(0.06, 0.25)
        x = np.arange(size, dtype=np.float32) * np.float32(2 * math.pi / period)
        # sin(a + b) from the sines of rows and columns: no sine of every pixel.
        column, row = x * np.float32(math.cos(angle)), x * np.float32(math.sin(angle))
        wave = np.outer(np.cos(row), np.sin(column)) + np.outer(np.sin(row), np.cos(column))
        texture += wave * np.float32(rng.uniform(5, 18))
    # OpenCV rounds and saturates in one pass.
    pixels = cv2.add(ground, cv2.merge([texture] * 3), dtype=cv2.CV_8U)
    return pixels, mean.astype(np.float32)
