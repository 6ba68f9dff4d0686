"""Random crops that keep objects in view.

SSD: Single Shot MultiBox Detector, Liu et al. 2015, https://arxiv.org/abs/1512.02325, section 2.2,
data augmentation; the numbers are those of the authors' code.
"""

import dataclasses
import math

import numpy as np

from jaxvision.data import boxes as boxes_of
from jaxvision.data.augment import geometry
from jaxvision.data.sample import Sample, image_objects
from jaxvision.ops import ranges

_TRIALS = 50


@dataclasses.dataclass(frozen=True)
class RandomCrop:
    """Cuts a patch out of an image that overlaps enough with one of its objects.

    A patch has scale s and aspect ratio a, both uniform in their ranges: sides of s sqrt(a) of the
    image's width and s / sqrt(a) of its height; a is drawn between s^2 and 1 / s^2 only, so that
    the patch fits. A least overlap is drawn from `overlaps`; then at most 50 patches, until an
    object whose centre lies in the patch has that IoU with it; else the image stays whole.

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
    """

    probability: float = 6 / 7
    scale: tuple[float, float] = (0.3, 1.0)
    aspect: tuple[float, float] = (0.5, 2.0)
    overlaps: tuple[float, ...] = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)

    def __post_init__(self) -> None:
        ranges.check(self, "[0, 1]", "probability")
        ranges.check_pair(self, "(0, 1]", "scale")
        ranges.check_pair(self, "(0, inf)", "aspect")
        if not self.aspect[0] <= 1 <= self.aspect[1]:
            raise ValueError(f"aspect must be two numbers, low <= 1 <= high, got {self.aspect}")
        ranges.check(self, "[0, 1]", "overlaps")
        if not self.overlaps:
            raise ValueError("overlaps must be at least one number, got none")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Maps a sample to a patch of it."""
        if rng.random() >= self.probability:
            return sample
        least = self.overlaps[int(rng.integers(len(self.overlaps)))]
        objects = image_objects([]) if sample.objects is None else sample.objects
        for _ in range(_TRIALS):
            patch = self._draw(*sample.size, rng)
            center = (objects.boxes[:, :2] + objects.boxes[:, 2:]) / 2
            inside = np.all((center >= patch[:2]) & (center < patch[2:]), axis=1)
            overlap = boxes_of.iou(objects.boxes[inside], np.array(patch, np.float32))
            if least and len(objects) and not (overlap >= least).any():
                continue
            kept = None if sample.objects is None else objects.take(inside)
            return geometry.crop(sample.replace(objects=kept), *patch)
        return sample

    def _draw(self, height: int, width: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
        """Draws a patch of an image of the given size: x1, y1, x2, y2 in whole pixels."""
        scale = rng.uniform(*self.scale)
        low, high = max(self.aspect[0], scale**2), min(self.aspect[1], scale**-2)
        side = math.sqrt(rng.uniform(low, high))
        w = min(max(round(width * scale * side), 1), width)
        h = min(max(round(height * scale / side), 1), height)
        left, top = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
        return left, top, left + w, top + h
