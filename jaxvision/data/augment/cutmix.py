"""A rectangle of another image in place of a part of the first, with the objects of both.

CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features, Yun et al.
2019, https://arxiv.org/abs/1905.04899, section 3.1. There, the labels are mixed by area; boxes need
no mixing, they go where their pixels go.
"""

import dataclasses
import math

import cv2
import numpy as np

from jaxvision.data.augment.letterbox import FILL
from jaxvision.data.augment.warp import reduction
from jaxvision.data.example import LazyDetectionSource


@dataclasses.dataclass(frozen=True)
class CutMix:
    """Pastes a rectangle of an image of the source, letterboxed to the first one's size.

    As in the paper, lambda ~ Beta(alpha, alpha) is the share of the first image, the rectangle has
    sqrt(1 - lambda) of its sides and a uniform centre, and what reaches beyond the border is cut
    off. The rectangle keeps its place.

    Boxes of the first are shortened where the rectangle hides one of their ends over the full width
    or height, so that they stay tight around what is seen, and stay as they are where it hides a
    corner or a part within. Boxes of the other are cut to the rectangle. An object of either of
    which less than `min_visible` of its box is seen is dropped.

    Attributes:
        alpha: Of the Beta distribution; 1 draws lambda uniformly.
        min_visible: Least share of a box's area that is to be seen.
        max_reduction: Down to which fraction images may be read; 1 reads all at full size.

    Raises:
        ValueError: If `alpha` is not positive.
    """

    alpha: float = 1.0
    min_visible: float = 0.2
    max_reduction: int = 8

    def __post_init__(self) -> None:
        if self.alpha <= 0:
            raise ValueError(f"alpha must be above 0, got {self.alpha}")

    def __call__(
        self,
        image: np.ndarray,
        boxes: np.ndarray,
        classes: np.ndarray,
        source: LazyDetectionSource,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pastes a part of one image of a source.

        Args:
            image: Image [H, W, 3] uint8.
            boxes: Its boxes [n, 4].
            classes: Their classes [n].
            source: Where the other image comes from, with or without objects; it may be the first.
            rng: Decides.

        Returns:
            Image [H, W, 3]; boxes [m, 4] float32 and classes [m] of what is left of both, the
            other's last.
        """
        index = int(rng.integers(len(source)))
        place = self._draw(image.shape[0], image.shape[1], rng)
        x1, y1, x2, y2 = place
        kept, shortened = _hide(boxes, place, self.min_visible)
        boxes, classes = shortened[kept], classes[kept]
        if x1 == x2 or y1 == y2:
            return image, boxes, classes

        height, width = image.shape[:2]
        found = source.annotation(index)
        scale = min(height / found.height, width / found.width)
        inside = max(1, int(found.width * scale)), max(1, int(found.height * scale))
        other, _ = source.image(index, min(reduction(np.eye(2, 3), scale), self.max_reduction))
        part = cv2.resize(other, inside)[y1:y2, x1:x2]
        image = image.copy()
        image[y1:y2, x1:x2] = FILL
        image[y1 : y1 + part.shape[0], x1 : x1 + part.shape[1]] = part

        objects = found.boxes[~found.crowd] * np.float32(scale)
        cut = np.clip(objects, (x1, y1) * 2, (x2, y2) * 2).astype(np.float32)
        seen = _area(cut) >= self.min_visible * _area(objects)
        seen &= (cut[:, 2:] > cut[:, :2]).all(axis=1)
        return (
            image,
            np.concatenate([boxes, cut[seen]]),
            np.concatenate([classes, found.classes[~found.crowd][seen]]),
        )

    def _draw(self, height: int, width: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
        """Draws the rectangle: x1, y1, x2, y2 in whole pixels."""
        side = math.sqrt(1 - rng.beta(self.alpha, self.alpha))
        x, y = int(rng.integers(width)), int(rng.integers(height))
        w, h = int(width * side), int(height * side)
        x1, y1 = x - w // 2, y - h // 2
        return max(x1, 0), max(y1, 0), min(x1 + w, width), min(y1 + h, height)


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)


def _hide(
    boxes: np.ndarray, place: tuple[int, int, int, int], min_visible: float
) -> tuple[np.ndarray, np.ndarray]:
    """Hides a rectangle of an image.

    Args:
        boxes: xyxy [n, 4].
        place: The rectangle.
        min_visible: Least share of a box that is to be seen.

    Returns:
        True for boxes of which enough is seen [n] bool, and the boxes around what is seen [n, 4].
    """
    hidden = np.clip(boxes, place[:2] * 2, place[2:] * 2)
    seen = 1 - _area(hidden) / np.maximum(_area(boxes), 1e-9)
    shortened = boxes.copy()
    for axis in (0, 1):
        low, high, across = axis, axis + 2, 1 - axis
        # The rectangle spans the box in the other direction: it hides an end of it, or both.
        spans = (place[across] <= boxes[:, across]) & (place[across + 2] >= boxes[:, across + 2])
        touches = spans & (hidden[:, low] < hidden[:, high])
        begins = touches & (place[low] <= boxes[:, low])
        ends = touches & (place[high] >= boxes[:, high])
        shortened[begins, low] = np.minimum(place[high], boxes[begins, high])
        shortened[ends, high] = place[low]
    return (seen >= min_visible) & (seen > 0), shortened
