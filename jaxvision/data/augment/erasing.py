"""Rectangles that hide a part of an image.

Nothing moves: boxes stay as they are, instance masks lose the pixels that are hidden, and label
maps are `VOID` there. In a clip the rectangles and their fill are those of all frames. A target
stays whole: what is hidden is to be predicted.

Random Erasing Data Augmentation, Zhong et al. 2017, https://arxiv.org/abs/1708.04896, algorithm 1.
Improved Regularization of Convolutional Neural Networks with Cutout, DeVries and Taylor 2017,
https://arxiv.org/abs/1708.04552, section 3.2.
"""

import dataclasses
import math

import cv2
import numpy as np

from jaxvision.data.sample import VOID, Sample
from jaxvision.ops import ranges

FILLS = ("noise", "color", "mean")
Rectangle = tuple[int, int, int, int]
_TRIALS = 100


class _Erasing:
    """Hides the rectangles that a subclass draws, and drops the objects they hide too much of."""

    probability: float
    fill: str | int
    max_covered: float

    def __post_init__(self) -> None:
        ranges.check(self, "[0, 1]", "probability")
        if self.fill not in (*FILLS, *range(256)):
            known = ", ".join(FILLS)
            raise ValueError(f"fill must be one of {known} or in 0 to 255, got {self.fill}")

    def _draw(self, height: int, width: int, rng: np.random.Generator) -> list[Rectangle]:
        """Draws rectangles x1, y1, x2, y2 in an image of the given size."""
        raise NotImplementedError

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Maps a sample to one of the same size."""
        places = self._draw(*sample.size, rng) if rng.random() < self.probability else []
        if not places:
            return sample
        hidden = np.zeros(sample.size, bool)
        objects, mask, image = sample.objects, sample.mask, sample.image.copy()
        fill = self.fill
        if fill == "mean":
            fill = np.rint(cv2.mean(image.reshape(-1, image.shape[-2], 3))[:3])
        for x1, y1, x2, y2 in places:
            hidden[y1:y2, x1:x2] = True
            part = image[..., y1:y2, x1:x2, :]
            if self.fill == "noise":
                part[...] = rng.integers(0, 256, (y2 - y1, x2 - x1, 3), np.uint8)
            elif self.fill == "color":
                part[...] = rng.integers(0, 256, 3, np.uint8)
            else:
                part[...] = fill
        if objects is not None:
            if objects.masks is not None:
                objects = objects.moved(objects.boxes, objects.masks & ~hidden)
            if self.max_covered < 1:
                objects = objects.take(_kept(objects.boxes, hidden, self.max_covered))
        if mask is not None:
            mask = np.where(hidden, mask.dtype.type(VOID), mask)
        return sample.replace(image=image, objects=objects, mask=mask)


@dataclasses.dataclass(frozen=True)
class RandomErasing(_Erasing):
    """Overwrites a rectangle with noise (Zhong et al., image-aware, the numbers of section 4).

    The rectangle's area is a share of the image's, its height over its width the aspect ratio, both
    uniform in their ranges; it lies wholly in the image.

    Departs from the paper:
        Of 100 rectangles none may fit into a very slim image; it then stays as it is. The paper's
        fill with the mean pixel of ImageNet takes the image's own mean here.

    Attributes:
        probability: How often.
        area: Least and largest share of the image's area, in (0, 1].
        aspect: Least and largest height over width.
        fill: What the rectangle shows: `noise`, every value drawn from 0 to 255; `color`, one
            colour drawn so; `mean`, the image's mean colour; or one level of grey, 0 to 255.
        max_covered: Objects of which more than this share of the box is hidden are dropped; with 1,
            none is.
    """

    probability: float = 0.5
    area: tuple[float, float] = (0.02, 0.4)
    aspect: tuple[float, float] = (0.3, 1 / 0.3)
    fill: str | int = "noise"
    max_covered: float = 1.0

    def __post_init__(self) -> None:
        ranges.check_pair(self, "(0, 1]", "area")
        ranges.check_pair(self, "(0, inf)", "aspect")
        super().__post_init__()

    def _draw(self, height: int, width: int, rng: np.random.Generator) -> list[Rectangle]:
        for _ in range(_TRIALS):
            area = rng.uniform(*self.area) * height * width
            aspect = rng.uniform(*self.aspect)
            h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            left, top = int(rng.integers(width)), int(rng.integers(height))
            if h and w and left + w <= width and top + h <= height:
                return [(left, top, left + w, top + h)]
        return []


@dataclasses.dataclass(frozen=True)
class Cutout(_Erasing):
    """Overwrites squares whose centres are uniform in the image (DeVries and Taylor).

    Squares may overlap and reach beyond the border: parts of them, or less than all of one at the
    rim, are seen then, which the paper found to matter.

    Departs from the paper:
        It fills with 0 after the mean was subtracted; the grey of the letterbox is this here.

    Attributes:
        squares: How many.
        side: Their sides in pixels.
        probability: How often.
        fill: As `RandomErasing`'s.
        max_covered: Objects of which the squares together hide more than this share of the box are
            dropped; with 1, none is.
    """

    squares: int = 1
    side: int = 64
    probability: float = 1.0
    fill: str | int = 114
    max_covered: float = 1.0

    def __post_init__(self) -> None:
        ranges.check(self, "[1, 1000]", "squares")
        ranges.check(self, "[1, inf)", "side")
        super().__post_init__()

    def _draw(self, height: int, width: int, rng: np.random.Generator) -> list[Rectangle]:
        places = []
        for _ in range(self.squares):
            left = int(rng.integers(width)) - self.side // 2
            top = int(rng.integers(height)) - self.side // 2
            right, bottom = left + self.side, top + self.side
            places.append((max(left, 0), max(top, 0), min(right, width), min(bottom, height)))
        return places


def _kept(boxes: np.ndarray, hidden: np.ndarray, max_covered: float) -> np.ndarray:
    """Finds the boxes [n, 4] of whose pixels at most a share is `hidden` [H, W] bool."""
    reached = np.concatenate([np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])], axis=1).astype(int)
    parts = [hidden[y1:y2, x1:x2] for x1, y1, x2, y2 in reached.tolist()]
    return np.array([part.sum() <= max_covered * part.size for part in parts], bool)
