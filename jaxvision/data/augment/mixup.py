"""Mixup for detection: the mean of two images (YOLOX, https://arxiv.org/abs/2107.08430)."""

import dataclasses
from typing import NamedTuple

import cv2
import numpy as np

from jaxvision.data import boxes as boxes_of
from jaxvision.data.augment import geometry
from jaxvision.data.augment.affine import worth_keeping
from jaxvision.data.augment.letterbox import fitted
from jaxvision.data.augment.warp import part_of, reduction
from jaxvision.data.sample import VOID, Sample, concatenate, image_objects
from jaxvision.data.source import Reader, Source, read_reduced
from jaxvision.ops import ranges


@dataclasses.dataclass(frozen=True)
class Mixup:
    """Blends an image half and half with another one that has objects, and joins their objects.

    The other is letterboxed to the size of the first, scaled again, mirrored half of the time, and
    cropped at random or surrounded by black. Targets are blended likewise. Where the other image
    lies and its label map differs from the first one's, the result is `VOID`.

    Departs from the reference:
        The mean of two pixels is rounded, there it is cut to an integer. The other image is
        interpolated once instead of twice, cropped to its own whole pixels before it is scaled.

    Attributes:
        read: Reads the first image. One without objects is not mixed.
        probability: How often an image with objects is mixed.
        scale: Least and largest scale on top of the letterbox's.
        filter_boxes: Drops the other's objects whose box has a side of at most 5 pixels, an aspect
            ratio of 20 or more, or at most a fifth of its area left; where none of them stays,
            nothing is blended. YOLOX's published weights were trained this way.
        max_reduction: Down to which fraction images may be read; 1 reads all at full size.
    """

    read: Reader
    probability: float = 1.0
    scale: tuple[float, float] = (0.5, 1.5)
    filter_boxes: bool = False
    max_reduction: int = 8

    def __post_init__(self) -> None:
        ranges.check(self, "[0, 1]", "probability")

    def __call__(self, source: Source, index: int, rng: np.random.Generator) -> Sample:
        """Reads an example and mixes another one of the source in.

        At least one image of the source must have objects that are not crowds.
        """
        sample = self.read(source, index, rng)
        if not sample.objects or rng.random() >= self.probability:
            return sample
        return self.mix(sample, source, rng)

    def mix(self, sample: Sample, source: Source, rng: np.random.Generator) -> Sample:
        """Mixes an example of a source into a sample with objects."""
        height, width = size = sample.size
        jitter, mirrored = rng.uniform(*self.scale), rng.random() < 0.5
        while True:
            number = int(rng.integers(len(source)))
            found = source.annotation(number)
            if found.objects is not None and not found.objects.crowd.all():
                break

        # The whole letterbox has the size `scaled`, the image in it the size `inside`.
        fit, (h, w) = fitted((found.height, found.width), size)
        scaled = int(height * jitter), int(width * jitter)
        inside = scaled[0] * h / height, scaled[1] * w / width
        # As `random.randint(0, excess - 1)`; the last of the possible places is never taken.
        top, left = (
            int(rng.integers(excess)) if (excess := now - room) > 0 else 0
            for now, room in zip(scaled, size, strict=True)
        )

        def move(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            before = np.clip(boxes * (fit * jitter), 0, (scaled[1], scaled[0]) * 2)
            if mirrored:
                before[:, [0, 2]] = scaled[1] - before[:, [2, 0]]
            return before, boxes_of.clip(before - (left, top) * 2, size)

        ours, others = sample.objects or image_objects([]), found.objects.trained()
        before, after = move(others.boxes)
        kept = np.ones(len(others), bool)
        if self.filter_boxes:
            kept = worth_keeping(before, after, min_side=5.0)
            if not kept.any():
                return sample
        place = _place(size, scaled, inside, (top, left), mirrored)
        # The letterbox alone where nothing of the image is seen.
        other = Sample(np.zeros((0, 0, 3), np.uint8), number)
        if place.y2:
            factor = max(inside[0] / found.height, inside[1] / found.width)
            by = min(reduction(np.eye(2, 3), factor), self.max_reduction)
            other = read_reduced(source, number, by)

        others = others.moved(after)
        if ours.masks is not None:
            theirs = None if other.objects is None else other.objects.trained().masks
            nothing = np.zeros((len(others), *size), bool)
            masks = nothing if theirs is None else place.labels(theirs, 0)
            others = others.moved(boxes_of.of_masks(masks), masks)
        target, mask, proposals = sample.target, sample.mask, sample.proposals
        if target is not None:
            target = place.blend(target, other.target, sample.target_factor)
        if mask is not None and other.mask is not None:
            lies = np.s_[: place.y2, place.x1 : place.x2]
            differs = mask[lies] != place.labels(other.mask, VOID)[lies]
            mask = mask.copy()
            mask[lies][differs] = VOID
        if proposals is not None and found.proposals is not None:
            proposals = np.concatenate([proposals, move(found.proposals)[1]])
        return sample.replace(
            image=place.blend(sample.image, other.image if place.y2 else None, 1),
            objects=concatenate([ours, others.take(kept)]),
            mask=mask,
            target=target,
            proposals=proposals,
        )


class _Place(NamedTuple):
    """Where the other image lies: columns `x1` to `x2 - 1`, rows up to `y2 - 1`; 0 if unseen.

    Its letterbox ends at `right` and `bottom`; `part`, x1, y1, x2, y2 as fractions of the image's
    width and height, is what is seen of it.
    """

    size: tuple[int, int]
    x1: int
    x2: int
    y2: int
    right: int
    bottom: int
    part: tuple[float, float, float, float]
    mirrored: bool

    def blend(self, image: np.ndarray, other: np.ndarray | None, factor: int) -> np.ndarray:
        """Returns the mean of images or clips at a multiple of the size, the other in its place."""

        def shown(frame: np.ndarray) -> np.ndarray:
            size = factor * (self.x2 - self.x1), factor * self.y2
            frame = cv2.resize(part_of(frame, self.part), size)
            return cv2.flip(frame, 1) if self.mirrored else frame

        placed = np.full_like(image, geometry.FILL)
        placed[..., factor * self.bottom :, :, :] = 0
        placed[..., factor * self.right :, :] = 0
        if other is not None:
            columns = slice(factor * self.x1, factor * self.x2)
            placed[..., : factor * self.y2, columns, :] = geometry.frames(shown, other)
        return cv2.addWeighted(image, 0.5, placed, 0.5, 0.0).reshape(image.shape)

    def labels(self, array: np.ndarray, void: int) -> np.ndarray:
        """Returns label maps or masks [..., h, w] in their place in the result [..., H, W]."""
        result = np.full((*array.shape[:-2], *self.size), void, array.dtype)
        for place in np.ndindex(array.shape[:-2]):
            part = geometry.nearest(part_of(array[place], self.part), (self.y2, self.x2 - self.x1))
            result[place][: self.y2, self.x1 : self.x2] = part[:, :: -1 if self.mirrored else 1]
        return result


def _place(
    size: tuple[int, int],
    scaled: tuple[int, int],
    inside: tuple[float, float],
    corner: tuple[int, int],
    mirrored: bool,
) -> _Place:
    """Places an image of `inside` in a letterbox of `scaled`, which is seen from `corner` on."""
    (height, width), (top, left) = size, corner
    bottom, right = min(scaled[0] - top, height), min(scaled[1] - left, width)
    # Mirrored, the image begins at `start` of the letterbox.
    start = scaled[1] - inside[1] if mirrored else 0.0
    x1, x2 = (min(max(round(x - left), 0), right) for x in (start, start + inside[1]))
    y2 = min(max(round(inside[0] - top), 0), bottom) if x1 < x2 else 0
    a, b = (x1 + left - start) / inside[1], (x2 + left - start) / inside[1]
    a, b = (1 - b, 1 - a) if mirrored else (a, b)
    part = (a, top / inside[0], b, min((y2 + top) / inside[0], 1.0))
    return _Place(size, x1, x2, y2, right, bottom, part, mirrored)
