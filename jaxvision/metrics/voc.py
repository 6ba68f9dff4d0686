"""Average precision as the PASCAL VOC challenges define it, at an IoU of 0.5.

Everingham et al. 2010, http://host.robots.ox.ac.uk/pascal/VOC/pubs/everingham10.pdf, section 4.2,
and the development kits' code. Until 2009 AP is the mean of the interpolated precision at 11
recalls, since 2010 the area below the interpolated curve.
"""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import flax.struct
import numpy as np

from jaxvision.metrics.coco import COCODetection, ImageRecord

# As the code has them: 0.3 is 0.30000000000000004, which a recall of 3 of 10 does not reach.
_RECALLS = np.arange(0.0, 1.1, 0.1)


@dataclasses.dataclass(frozen=True)
class VOCRule:
    """What differs between the years and between implementations.

    The VOC reader moves the first corner of a box by one pixel, so that its width is x2 - x1, where
    the files count from 1 and include the last pixel. So the overlaps of the development kit are
    those of our boxes without `inclusive`.

    Attributes:
        points: Whether AP is the mean of 11 precisions, as until 2009, not an area.
        inclusive: Whether the last pixel belongs to a box: its width is x2 - x1 + 1.
        above: Whether the IoU must be above `threshold`, as in the development kit, or may equal
            it.
        threshold: IoU of a detection with its object.
    """

    points: bool = False
    inclusive: bool = False
    above: bool = True
    threshold: float = 0.5

    def average_precision(self, recall: np.ndarray, precision: np.ndarray) -> float:
        """Summarises a curve, both [M], by recalls that do not fall.

        Returns:
            In [0, 1].
        """
        # The interpolated precision: the best at this or a higher recall.
        ceiling = np.maximum.accumulate(precision[::-1])[::-1]
        if not self.points:
            return float((np.diff(recall, prepend=0.0) * ceiling).sum())
        first = np.searchsorted(recall, _RECALLS, side="left")
        return float(np.append(ceiling, 0.0)[first].mean())

    def by_class(self, records: Sequence[ImageRecord], num_classes: int) -> np.ndarray:
        """Returns the AP of each class [K]; NaN where there is no object that counts.

        Detections, best first over all images, each take the object of their class that they
        overlap most, even if it is taken, which makes them wrong; those on crowds, as which
        difficult objects are read, do not count.

        Args:
            records: Of an evaluation, an image each.
            num_classes: K.
        """
        return np.array([self._of_class(records, k) for k in range(num_classes)])

    def _of_class(self, records: Sequence[ImageRecord], k: int) -> float:
        kept = [record.classes == k for record in records]
        of_class = [record.object_classes == k for record in records]
        crowds = [r.object_crowd[own] for r, own in zip(records, of_class, strict=True)]
        count = sum(int((~crowd).sum()) for crowd in crowds)
        if not count:
            return float("nan")
        scores = np.concatenate([r.scores[own] for r, own in zip(records, kept, strict=True)])
        image = np.repeat(np.arange(len(records)), [own.sum() for own in kept])
        found = [
            self._nearest(r.boxes[own], r.object_boxes[same])
            for r, own, same in zip(records, kept, of_class, strict=True)
        ]
        nearest = np.concatenate(found)
        taken = [np.zeros(len(crowd), bool) for crowd in crowds]
        right, counted = np.zeros(len(scores), bool), np.ones(len(scores), bool)
        order = np.argsort(-scores, kind="stable")
        for i in order[nearest[order] >= 0]:
            number, own = nearest[i], taken[image[i]]
            counted[i] = not crowds[image[i]][number]
            right[i] = counted[i] and not own[number]
            own[number] = True
        hits = np.cumsum(right[order[counted[order]]])
        return self.average_precision(hits / count, hits / np.arange(1, len(hits) + 1))

    def _nearest(self, boxes: np.ndarray, objects: np.ndarray) -> np.ndarray:
        """Number of the object that each box overlaps most [M], -1 where that is too little."""
        if not len(objects):
            return np.full(len(boxes), -1)
        extra = 1.0 if self.inclusive else 0.0
        a, b = boxes[:, None], objects[None]
        size = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]) + extra
        shared = np.maximum(size, 0).prod(axis=-1)
        union = sum((x[..., 2:] - x[..., :2] + extra).prod(axis=-1) for x in (a, b)) - shared
        overlap = np.where(union > 0, shared / np.where(union > 0, union, 1.0), 0.0)
        best = overlap.argmax(axis=1)
        reached = overlap.max(axis=1)
        enough = reached > self.threshold if self.above else reached >= self.threshold
        return np.where(enough, best, -1)


@flax.struct.dataclass(eq=False)
class VOC10Detection(COCODetection):
    """COCO's values, and VOC's AP of 2010 and later: the area below the curve."""

    name: ClassVar[str] = "VOC10"
    rule: ClassVar[VOCRule] = VOCRule()

    def compute(self) -> dict[str, float]:
        """Evaluates all images together.

        Returns:
            What `COCODetection` gives, and the mean AP over the classes by VOC's rule as `VOC10`
            or `VOC07`, with `VOC10/<name>` or `VOC07/<name>` for each class.
        """
        found = self.rule.by_class(self.images(), len(self.class_names))
        defined = found[~np.isnan(found)]
        values = {self.name: float(defined.mean()) if defined.size else float("nan")}
        coco = COCODetection.compute(self)
        own = {f"{self.name}/{k}": float(v) for k, v in zip(self.class_names, found, strict=True)}
        return values | coco | own


@flax.struct.dataclass(eq=False)
class VOC07Detection(VOC10Detection):
    """COCO's values, and VOC's AP of 2007: the mean of 11 interpolated precisions."""

    name: ClassVar[str] = "VOC07"
    rule: ClassVar[VOCRule] = VOCRule(points=True)
