"""Mixup for detection: a second image shines through (YOLOX, https://arxiv.org/abs/2107.08430)."""

import dataclasses

import cv2
import numpy as np

from jaxvision.data.augment.affine import worth_keeping
from jaxvision.data.augment.letterbox import FILL
from jaxvision.data.augment.warp import crop, reduction
from jaxvision.data.example import LazyDetectionSource


@dataclasses.dataclass(frozen=True)
class Mixup:
    """Blends an image half and half with another one that has objects, and joins their objects.

    The other is letterboxed to the size of the first, scaled again, mirrored half of the time, and
    cropped at random or filled up with black.

    Departs from the reference:
        The mean of two pixels is rounded, there it is cut to an integer. One bilinear look at the
        image instead of two, cropped to its own whole pixels before it is scaled.

    Attributes:
        scale: Least and largest scale on top of the letterbox's.
        filter_boxes: Leaves out the other's boxes with a side of at most 5 pixels, an aspect ratio
            of 20 or more, or at most a fifth of their area left; where none of them stays, nothing
            is blended. So were YOLOX's published weights trained.
        max_reduction: Down to which fraction images may be read; 1 reads all at full size.
    """

    scale: tuple[float, float] = (0.5, 1.5)
    filter_boxes: bool = False
    max_reduction: int = 8

    def __call__(
        self,
        image: np.ndarray,
        boxes: np.ndarray,
        classes: np.ndarray,
        source: LazyDetectionSource,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mixes one image of a source in.

        Args:
            image: Image [H, W, 3] uint8; overwritten.
            boxes: Its boxes [n, 4].
            classes: Their classes [n].
            source: Where the other image comes from; at least one has objects.
            rng: Decides.

        Returns:
            Image [H, W, 3]; boxes [n + m, 4] float32 and classes [n + m], the other's m last,
            without extent where they were cut off.
        """
        height, width = size = image.shape[:2]
        jitter, mirrored = rng.uniform(*self.scale), rng.random() < 0.5
        while True:
            index = int(rng.integers(len(source)))
            found = source.annotation(index)
            if not found.crowd.all():
                break

        # The whole letterbox has the size `scaled`, the image in it the size `inside`.
        fit = min(height / found.height, width / found.width)
        scaled = int(height * jitter), int(width * jitter)
        inside = (
            scaled[0] * max(1, int(found.height * fit)) / height,
            scaled[1] * max(1, int(found.width * fit)) / width,
        )
        # As `random.randint(0, excess - 1)`; the last of the possible places is never taken.
        top, left = (
            int(rng.integers(excess)) if (excess := now - room) > 0 else 0
            for now, room in zip(scaled, size, strict=True)
        )
        objects, labels = found.boxes[~found.crowd] * (fit * jitter), found.classes[~found.crowd]
        before = np.clip(objects, 0, (scaled[1], scaled[0]) * 2)
        if mirrored:
            before[:, [0, 2]] = scaled[1] - before[:, [2, 0]]
        objects = np.clip(before - (left, top) * 2, 0, (width, height) * 2).astype(np.float32)
        if self.filter_boxes:
            kept = worth_keeping(before, objects, min_side=5.0)
            objects, labels = objects[kept], labels[kept]
            if not kept.any():
                return image, boxes, classes

        # Where the letterbox and the image in it end, in pixels of the result; x is mirrored, so
        # that the image begins at `start`.
        bottom, right = min(scaled[0] - top, height), min(scaled[1] - left, width)
        start = scaled[1] - inside[1] if mirrored else 0.0
        x1, x2 = (min(max(round(x - left), 0), right) for x in (start, start + inside[1]))
        y2 = min(max(round(inside[0] - top), 0), bottom)

        # Blended piece by piece: the image, what fills its letterbox, and nothing around that.
        if x1 < x2 and y2:
            factor = max(inside[0] / found.height, inside[1] / found.width)
            by = min(reduction(np.eye(2, 3), factor), self.max_reduction)
            other, _ = source.image(index, by)
            a, b = (x1 + left - start) / inside[1], (x2 + left - start) / inside[1]
            a, b = (1 - b, 1 - a) if mirrored else (a, b)
            other = crop(other, (a, top / inside[0], b, min((y2 + top) / inside[0], 1.0)))
            other = cv2.resize(other, (x2 - x1, y2))
            _blend(image[:y2, x1:x2], cv2.flip(other, 1) if mirrored else other)
        else:
            y2 = 0
        _blend(image[:y2, :x1], FILL)
        _blend(image[:y2, x2:right], FILL)
        _blend(image[y2:bottom, :right], FILL)
        _blend(image[:bottom, right:], 0)
        _blend(image[bottom:], 0)

        return image, np.concatenate([boxes, objects]), np.concatenate([classes, labels])


def _blend(pixels: np.ndarray, other: np.ndarray | int) -> None:
    """Overwrites pixels [h, w, 3] uint8 by their mean with others, or with one level of grey."""
    if not pixels.size:
        return
    if isinstance(other, int):
        cv2.addWeighted(pixels, 0.5, pixels, 0.0, other / 2, dst=pixels)
    else:
        cv2.addWeighted(pixels, 0.5, other, 0.5, 0.0, dst=pixels)
