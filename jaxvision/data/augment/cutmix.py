"""A rectangle of another image in place of a part of the first, with the objects of both.

CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features, Yun et al.
2019, https://arxiv.org/abs/1905.04899, section 3.1. There, the labels are mixed by area; boxes need
no mixing, they go where their pixels go.
"""

import dataclasses
import math

import numpy as np

from jaxvision.data import boxes as boxes_of
from jaxvision.data.augment import geometry
from jaxvision.data.augment.letterbox import fitted
from jaxvision.data.augment.warp import reduction
from jaxvision.data.sample import VOID, ImageObjects, Sample, concatenate
from jaxvision.data.source import Reader, Source, read_reduced
from jaxvision.ops import ranges


@dataclasses.dataclass(frozen=True)
class CutMix:
    """Pastes a rectangle of an image of the source, letterboxed to the first one's size.

    As in the paper, lambda ~ Beta(alpha, alpha) is the share of the first image, the rectangle has
    sqrt(1 - lambda) of its sides and a uniform centre, and what reaches beyond the border is cut
    off. The rectangle keeps its place.

    Boxes of the first are shortened where the rectangle hides one of their ends over the full width
    or height, so that they stay tight around what is seen, and stay as they are where it hides a
    corner or a part within. Boxes of the other are cut to the rectangle. An object of either of
    which less than `min_visible` of its box is seen is dropped. With instance masks, boxes are
    those of what is seen of the masks.

    Attributes:
        read: Reads the first image.
        probability: How often an image is pasted.
        alpha: Of the Beta distribution; 1 draws lambda uniformly.
        min_visible: Least share of a box's area that is to be seen.
        max_reduction: Down to which fraction images may be read; 1 reads all at full size.
    """

    read: Reader
    probability: float = 1.0
    alpha: float = 1.0
    min_visible: float = 0.2
    max_reduction: int = 8

    def __post_init__(self) -> None:
        ranges.check(self, "[0, 1]", "probability")
        ranges.check(self, "(0, inf)", "alpha")

    def __call__(self, source: Source, index: int, rng: np.random.Generator) -> Sample:
        """Reads an example and pastes a part of another one of the source."""
        sample = self.read(source, index, rng)
        return self.mix(sample, source, rng) if rng.random() < self.probability else sample

    def mix(self, sample: Sample, source: Source, rng: np.random.Generator) -> Sample:
        """Pastes a part of an example of a source, which may be the first and have no objects."""
        number = int(rng.integers(len(source)))
        size = sample.size
        place = x1, y1, x2, y2 = self._draw(*size, rng)
        ours = None if sample.objects is None else self._hide(sample.objects, place)
        if x1 == x2 or y1 == y2:
            return sample.replace(objects=ours)

        found = source.annotation(number)
        scale, inside = fitted((found.height, found.width), size)
        by = min(reduction(np.eye(2, 3), scale), self.max_reduction)
        other = read_reduced(source, number, by)
        other = geometry.pad(geometry.resize(other, inside), size)

        def pasted(image: np.ndarray, theirs: np.ndarray, s: int) -> np.ndarray:
            image, part = image.copy(), np.s_[..., s * y1 : s * y2, s * x1 : s * x2, :]
            image[part] = theirs[part]
            return image

        target, mask = sample.target, sample.mask
        if target is not None and other.target is not None:
            target = pasted(target, other.target, sample.target_factor)
        if mask is not None:
            void = np.full(size, VOID) if other.mask is None else other.mask
            mask = pasted(mask[..., None], void[..., None], 1)[..., 0]
        if found.objects is not None:
            masks = None if other.objects is None else other.objects.trained().masks
            theirs = self._cut(found.objects.trained(), masks, scale, place)
            ours = theirs if ours is None else concatenate([ours, theirs])
        return sample.replace(
            image=pasted(sample.image, other.image, 1), objects=ours, mask=mask, target=target
        )

    def _hide(self, objects: ImageObjects, place: tuple[int, int, int, int]) -> ImageObjects:
        """Returns what is left of the first image's objects beside a rectangle."""
        boxes, masks = objects.boxes, objects.masks
        hidden = np.clip(boxes, place[:2] * 2, place[2:] * 2)
        seen = 1 - boxes_of.area(hidden) / np.maximum(boxes_of.area(boxes), 1e-9)
        shortened = boxes.copy()
        for axis in (0, 1):
            low, high, across = axis, axis + 2, 1 - axis
            # The rectangle spans the box in the other direction: it hides an end of it, or both.
            spans = (place[across] <= boxes[:, across]) & (
                place[across + 2] >= boxes[:, across + 2]
            )
            touches = spans & (hidden[:, low] < hidden[:, high])
            begins = touches & (place[low] <= boxes[:, low])
            ends = touches & (place[high] >= boxes[:, high])
            shortened[begins, low] = np.minimum(place[high], boxes[begins, high])
            shortened[ends, high] = place[low]
        seen = (seen >= self.min_visible) & (seen > 0)
        if masks is not None:
            x1, y1, x2, y2 = place
            masks = masks.copy()
            masks[:, y1:y2, x1:x2] = False
            shortened = boxes_of.of_masks(masks)
            seen &= boxes_of.nonempty(shortened)
        return objects.moved(shortened, masks).take(seen)

    def _cut(
        self,
        objects: ImageObjects,
        letterboxed: np.ndarray | None,
        scale: float,
        place: tuple[int, int, int, int],
    ) -> ImageObjects:
        """Returns what the rectangle shows of the other image's objects, given their masks."""
        x1, y1, x2, y2 = place
        whole = objects.boxes * np.float32(scale)
        boxes = np.clip(whole, (x1, y1) * 2, (x2, y2) * 2).astype(np.float32)
        seen = boxes_of.area(boxes) >= self.min_visible * boxes_of.area(whole)
        masks = None
        if letterboxed is not None:
            masks = np.zeros_like(letterboxed)
            masks[:, y1:y2, x1:x2] = letterboxed[:, y1:y2, x1:x2]
            boxes = boxes_of.of_masks(masks)
        return objects.moved(boxes, masks).take(seen & boxes_of.nonempty(boxes))

    def _draw(self, height: int, width: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
        """Draws the rectangle: x1, y1, x2, y2 in whole pixels."""
        side = math.sqrt(1 - rng.beta(self.alpha, self.alpha))
        x, y = int(rng.integers(width)), int(rng.integers(height))
        w, h = int(width * side), int(height * side)
        x1, y1 = x - w // 2, y - h // 2
        return max(x1, 0), max(y1, 0), min(x1 + w, width), min(y1 + h, height)
