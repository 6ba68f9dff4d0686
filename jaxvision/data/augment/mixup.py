"""Mixup for detection: a second image shines through (YOLOX, https://arxiv.org/abs/2107.08430)."""

import dataclasses

import cv2
import numpy as np

from jaxvision.data.augment.letterbox import FILL
from jaxvision.data.augment.warp import apply, compose, paint, rectangle, resizing
from jaxvision.data.example import LazyDetectionSource


@dataclasses.dataclass(frozen=True)
class Mixup:
    """Blends an image half and half with another one that has objects, and joins their objects.

    The other is letterboxed to the size of the first, scaled again, mirrored half of the time, and
    cropped at random or filled up with black.

    Departs from the reference:
        The mean of two pixels is rounded, there it is cut to an integer. One bilinear look at the
        image instead of two.

    Attributes:
        scale: Least and largest scale on top of the letterbox's.
        max_reduction: Down to which fraction images may be read; 1 reads all at full size.
    """

    scale: tuple[float, float] = (0.5, 1.5)
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
            image: Image [H, W, 3] uint8.
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

        # 1. The letterbox, 2. scaled to `scaled`, 3. mirrored, 4. moved by the crop.
        fit = min(height / found.height, width / found.width)
        inside = max(1, int(found.height * fit)), max(1, int(found.width * fit))
        scaled = int(height * jitter), int(width * jitter)
        # As `random.randint(0, excess - 1)`; the last of the possible places is never taken.
        top, left = (
            int(rng.integers(excess)) if (excess := now - room) > 0 else 0
            for now, room in zip(scaled, size, strict=True)
        )
        move = np.array([[1, 0, -left], [0, 1, -top]], float)
        if mirrored:
            move[0] = -1, 0, scaled[1] - 1 - left
        place = compose(move, resizing(size, scaled))

        other = np.zeros_like(image)
        other[: scaled[0], : scaled[1]] = FILL
        matrix = compose(place, resizing((found.height, found.width), inside))
        outline = apply(place, rectangle(0, 0, inside[1], inside[0]))
        paint(other, outline, matrix, source, index, max_reduction=self.max_reduction)

        objects = found.boxes[~found.crowd] * (fit * jitter)
        objects = np.clip(objects, 0, (scaled[1], scaled[0]) * 2)
        if mirrored:
            objects[:, [0, 2]] = scaled[1] - objects[:, [2, 0]]
        objects = np.clip(objects - (left, top) * 2, 0, (width, height) * 2).astype(np.float32)
        return (
            cv2.addWeighted(image, 0.5, other, 0.5, 0, dst=other),
            np.concatenate([boxes, objects]),
            np.concatenate([classes, found.classes[~found.crowd]]),
        )
