"""Which detections are right at one IoU, and what that says of a score threshold.

COCO's AP is a mean over all thresholds; whoever uses a detector chooses one. Detections and objects
are matched as COCO does it (https://cocodataset.org/#detection-eval): in every image and class the
detections, best first, take the object that they overlap most; those on a crowd do not count.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxvision.data.boxes import iou
from jaxvision.metrics.coco import ImageRecord
from jaxvision.metrics.curves import Calibration, Curve, calibration

# Least IoU of a detection with its object.
MATCHED_IOU = 0.5
# Scores at which precision, recall and F1 are computed.
THRESHOLDS = np.linspace(0.0, 1.0, 101)
# Detections with a lower score do not count for calibration: there are hundreds in each image.
CALIBRATED_FROM = 0.05
# COCO's bounds between small, medium and large, in pixels of area.
SIZE_BOUNDS = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, np.inf)}


class Matches(NamedTuple):
    """All M detections, but for those on crowds, and all N objects that are no crowds.

    Attributes:
        scores: Of each detection [M].
        classes: Of each detection [M].
        images: Index of the image of each detection [M].
        right: Whether each detection has found an object [M] bool.
        object_classes: Of each object [N].
        object_images: Index of the image of each object [N].
        object_area: In pixels of the image [N].
        found: Score of the detection that found each object [N], -1 where none did.
        num_classes: K.
    """

    scores: np.ndarray
    classes: np.ndarray
    images: np.ndarray
    right: np.ndarray
    object_classes: np.ndarray
    object_images: np.ndarray
    object_area: np.ndarray
    found: np.ndarray
    num_classes: int

    def counts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Counts at each of `THRESHOLDS`: right and all detections [T, K], and objects [K]."""
        right, total = (
            np.stack([self._from(np.flatnonzero(which & (self.classes == k))) for k in self._all()])
            for which in (self.right, np.ones(len(self.scores), bool))
        )
        objects = np.bincount(self.object_classes, minlength=self.num_classes)
        return right.T, total.T, objects

    def _all(self) -> range:
        return range(self.num_classes)

    def _from(self, rows: np.ndarray) -> np.ndarray:
        """Counts the detections of some rows whose score reaches each of `THRESHOLDS` [T]."""
        return len(rows) - np.searchsorted(np.sort(self.scores[rows]), THRESHOLDS, side="left")

    def precision_recall(self, k: int) -> Curve:
        """Precision by recall of a class, recall rising; nan without objects."""
        rows = np.flatnonzero(self.classes == k)
        objects = int((self.object_classes == k).sum())
        if not objects:
            return Curve(np.full(1, np.nan), np.full(1, np.nan))
        order = rows[np.argsort(-self.scores[rows], kind="stable")]
        right = np.cumsum(self.right[order])
        precision = right / np.arange(1, len(order) + 1)
        # From recall 0 on, also without any detection.
        first = precision[:1] if len(order) else np.zeros(1)
        return Curve(np.concatenate([[0.0], right / objects]), np.concatenate([first, precision]))

    def calibration(self) -> Calibration:
        """Compares scores from 0.05 on with how often detections are right."""
        counted = self.scores >= CALIBRATED_FROM
        return calibration(self.scores[counted], self.right[counted].astype(np.float64))


class Rates(NamedTuple):
    """Precision, recall and F1 at each of `THRESHOLDS` and for each class [T, K].

    A class without objects is nan in all; a precision without detections is 1.
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray

    @classmethod
    def of(cls, matches: Matches) -> "Rates":
        """Computes them of counts."""
        right, total, objects = matches.counts()
        defined = np.where(objects > 0, 1.0, np.nan)
        precision = np.where(total > 0, right / np.maximum(total, 1), 1.0)
        recall = right / np.maximum(objects, 1)
        f1 = 2 * right / np.maximum(total + objects, 1)
        return cls(precision * defined, recall * defined, f1 * defined)

    def best(self) -> int:
        """Position in `THRESHOLDS` of the highest mean F1 over the classes."""
        defined = ~np.isnan(self.f1).all(axis=0)
        return int(self.f1[:, defined].mean(axis=1).argmax()) if defined.any() else 0


def match(records: Sequence[ImageRecord], num_classes: int) -> Matches:
    """Matches detections with objects of the same class.

    Args:
        records: Of an evaluation, an image each.
        num_classes: K.
    """
    columns: list[list[np.ndarray]] = [[] for _ in range(8)]
    for record in records:
        right, ignored, found = _match_image(record)
        real = ~record.object_crowd
        kept = ~ignored
        for column, values in zip(
            columns,
            (
                record.scores[kept],
                record.classes[kept],
                np.full(kept.sum(), record.index),
                right[kept],
                record.object_classes[real],
                np.full(real.sum(), record.index),
                record.object_area[real],
                found[real],
            ),
            strict=True,
        ):
            column.append(values)
    kinds = (np.float64, np.int64, np.int64, bool, np.int64, np.int64, np.float64, np.float64)
    joined = [
        np.concatenate([np.zeros(0, kind), *column]).astype(kind)
        for column, kind in zip(columns, kinds, strict=True)
    ]
    return Matches(*joined, num_classes=num_classes)  # pyright: ignore[reportCallIssue]


def _match_image(record: ImageRecord) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns which detections are right and which lie on a crowd, and what found each object."""
    count, objects = len(record.boxes), len(record.object_boxes)
    right, ignored = np.zeros(count, bool), np.zeros(count, bool)
    found = np.full(objects, -1.0)
    if not count or not objects:
        return right, ignored, found
    overlap = _overlap(record)
    overlap = np.where(record.classes[:, None] == record.object_classes[None], overlap, 0.0)
    reached = np.any(overlap >= MATCHED_IOU, axis=1)
    for i in np.argsort(-record.scores, kind="stable"):
        if not reached[i]:
            continue
        free = np.where((found < 0) & ~record.object_crowd, overlap[i], 0.0)
        best = int(free.argmax())
        if free[best] >= MATCHED_IOU:
            right[i], found[best] = True, record.scores[i]
        else:
            ignored[i] = bool((overlap[i][record.object_crowd] >= MATCHED_IOU).any())
    return right, ignored, found


def _overlap(record: ImageRecord) -> np.ndarray:
    """IoU of detections and objects [M, N]; of a crowd the share of the detection in it."""
    boxes, objects = record.boxes[:, None], record.object_boxes[None]
    size = np.minimum(boxes[..., 2:], objects[..., 2:]) - np.maximum(
        boxes[..., :2], objects[..., :2]
    )
    shared = np.maximum(size, 0).prod(axis=-1)
    area = np.maximum((record.boxes[:, 2:] - record.boxes[:, :2]).prod(axis=-1), 1e-9)
    return np.where(record.object_crowd[None], shared / area[:, None], iou(boxes, objects))


def confusion(records: Sequence[ImageRecord], num_classes: int, threshold: float) -> np.ndarray:
    """Counts objects by their class and that of the detection that lies on them.

    First detections and objects of the same class are matched, as for precision and recall. Of the
    rest, detections, best first, take the object of another class that they overlap most, by an IoU
    of 0.5 or more.

    Args:
        records: Of an evaluation, an image each.
        num_classes: K.
        threshold: Detections with a lower score do not count.

    Returns:
        Counts by true (rows) and detected class (columns) [K + 1, K + 1] int64; the last row holds
        detections on background, the last column missed objects.
    """
    counts = np.zeros((num_classes + 1, num_classes + 1), np.int64)
    for record in records:
        kept = record.scores >= threshold
        record = record._replace(
            boxes=record.boxes[kept], scores=record.scores[kept], classes=record.classes[kept]
        )
        right, ignored, found = _match_image(record)
        hit = (found >= 0) & ~record.object_crowd
        np.add.at(counts, (record.object_classes[hit], record.object_classes[hit]), 1)
        left = ~hit & ~record.object_crowd
        rest = np.flatnonzero(~right & ~ignored)
        overlap = _overlap(record) if len(rest) and left.any() else None
        for i in rest[np.argsort(-record.scores[rest], kind="stable")]:
            free = np.where(left, overlap[i], 0.0) if overlap is not None else np.zeros(1)
            best = int(free.argmax())
            row = num_classes
            if free[best] >= MATCHED_IOU:
                row, left[best] = record.object_classes[best], False
            counts[row, record.classes[i]] += 1
        counts[:, num_classes] += np.bincount(
            record.object_classes[left], minlength=num_classes + 1
        )
    return counts
