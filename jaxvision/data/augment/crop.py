"""Random crops that keep something to be found.

SSD: Single Shot MultiBox Detector, Liu et al. 2015, https://arxiv.org/abs/1512.02325, section 2.2,
data augmentation; the numbers are those of the authors' code.
"""

import dataclasses
import math

import numpy as np

_TRIALS = 50


@dataclasses.dataclass(frozen=True)
class RandomCrop:
    """Cuts a patch out of an image that overlaps enough with one of its objects.

    A patch has scale s and aspect ratio a, both uniform in their ranges: sides of s sqrt(a) of the
    image's width and s / sqrt(a) of its height. a is drawn between s^2 and 1 / s^2 only, so that
    the patch fits. With a range of one number each, all patches are of one size. A least overlap is
    drawn from `overlaps`; patches are then drawn until an object whose centre lies in the patch has
    that IoU with it, 50 at most, after which the image stays whole.

    Objects whose centre lies in the patch stay, with what of their boxes lies in it; the others are
    dropped. With an overlap of 0, and in images without objects, any patch is taken; none of the
    objects may be left then.

    Departs from the paper:
        The image as a whole, one of its seven options, is `probability`. Patches of 0.1 to 1 of the
        image are of 0.3 to 1 in the authors' code and here. Objects that are dropped do not count
        as overlapping.

    Attributes:
        probability: How often an image is cropped.
        scale: Least and largest s, in (0, 1].
        aspect: Least and largest a, on both sides of 1 or 1.
        overlaps: Least overlaps to choose from, in [0, 1].

    Raises:
        ValueError: If a range is none, or there is no overlap to choose from.
    """

    probability: float = 6 / 7
    scale: tuple[float, float] = (0.3, 1.0)
    aspect: tuple[float, float] = (0.5, 2.0)
    overlaps: tuple[float, ...] = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)

    def __post_init__(self) -> None:
        if not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise ValueError(f"scale must be two numbers, 0 < low <= high <= 1, got {self.scale}")
        if not 0 < self.aspect[0] <= 1 <= self.aspect[1]:
            raise ValueError(f"aspect must be two numbers, 0 < low <= 1 <= high, got {self.aspect}")
        if not self.overlaps or not all(0 <= least <= 1 for least in self.overlaps):
            raise ValueError(
                f"overlaps must be numbers in [0, 1], at least one, got {self.overlaps}"
            )

    def __call__(
        self, image: np.ndarray, boxes: np.ndarray, classes: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Maps an image [H, W, 3] to a patch of it; boxes [n, 4] and classes [n] to those left."""
        if rng.random() >= self.probability:
            return image, boxes, classes
        least = self.overlaps[int(rng.integers(len(self.overlaps)))]
        height, width = image.shape[:2]
        for _ in range(_TRIALS):
            x1, y1, x2, y2 = patch = self._draw(height, width, rng)
            inside = _centers_inside(boxes, patch)
            if least and len(boxes) and not (_overlap(boxes[inside], patch) >= least).any():
                continue
            origin = np.array([x1, y1, x1, y1], np.float32)
            boxes = np.clip(boxes[inside] - origin, 0, [x2 - x1, y2 - y1] * 2)
            return image[y1:y2, x1:x2], boxes.astype(np.float32), classes[inside]
        return image, boxes, classes

    def _draw(self, height: int, width: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
        """Draws a patch of an image of the given size: x1, y1, x2, y2 in whole pixels."""
        scale = rng.uniform(*self.scale)
        low, high = max(self.aspect[0], scale**2), min(self.aspect[1], scale**-2)
        side = math.sqrt(rng.uniform(low, high))
        w = min(max(round(width * scale * side), 1), width)
        h = min(max(round(height * scale / side), 1), height)
        left, top = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
        return left, top, left + w, top + h


def _centers_inside(boxes: np.ndarray, patch: tuple[int, int, int, int]) -> np.ndarray:
    """Says which boxes [n, 4] have their centres in a patch [n] bool."""
    center = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.all((center >= patch[:2]) & (center < patch[2:]), axis=1)


def _overlap(boxes: np.ndarray, patch: tuple[int, int, int, int]) -> np.ndarray:
    """Returns the IoU of boxes [n, 4] with a patch [n]."""
    sides = np.minimum(boxes[:, 2:], patch[2:]) - np.maximum(boxes[:, :2], patch[:2])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    whole = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return shared / (whole + (patch[2] - patch[0]) * (patch[3] - patch[1]) - shared)
