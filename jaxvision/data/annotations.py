"""Boxes of a whole dataset in flat arrays, and their validation.

118,287 images with 860,001 boxes take about 35 MB this way; a list of dicts takes a gigabyte, and
its reference counts make every forked or cached copy of it grow.
"""

import dataclasses
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.segmentations import Segmentations

# Annotations are rounded decimal numbers: COCO to 0.01 pixels, YOLO usually to 1e-6 and at worst to
# 1e-4 of the side. A smaller excess is rounding and is not reported.
_PIXEL_TOLERANCE = 0.02
_FRACTION_TOLERANCE = 1e-4
_FLOATS = (np.finfo(np.float32).min, np.finfo(np.float32).max)
# Number of repaired boxes that a report lists as examples.
_EXAMPLES = 10


@dataclasses.dataclass(frozen=True)
class Annotations:
    """The objects of I images, M in all, sorted by image.

    Attributes:
        root: Folder that `paths` are relative to.
        paths: Encoded file names [I] bytes.
        sizes: Width and height in pixels [I, 2] int32; None where the format does not say, and then
            `boxes` are fractions of the width and height.
        offsets: Image i owns the rows offsets[i]:offsets[i + 1] of the arrays below [I + 1] int64.
        boxes: xyxy in pixels, or fractions where `sizes` is None [M, 4].
        classes: Class indices [M] int32.
        crowd: Objects not to be trained on [M] bool.
        area: Mask areas in pixels [M] float32; NaN where the data has none.
        segmentations: Outlines or run lengths of the M objects; None where none are kept.
    """

    root: str
    paths: np.ndarray
    sizes: np.ndarray | None
    offsets: np.ndarray
    boxes: np.ndarray
    classes: np.ndarray
    crowd: np.ndarray
    area: np.ndarray
    segmentations: Segmentations | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def path(self, index: int) -> str:
        """Returns the full path of an image."""
        return os.path.join(self.root, os.fsdecode(self.paths[index]))

    def rows(self, index: int) -> slice:
        """Returns which rows belong to an image."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    def images(self) -> np.ndarray:
        """Returns which image each row belongs to [M] int64."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def select(self, chosen: Sequence[bool] | np.ndarray) -> "Annotations":
        """Returns the images for which `chosen` [I] is true, with their objects."""
        chosen = np.asarray(chosen, bool)
        counts = np.diff(self.offsets) * chosen
        kept = self.keep(chosen[self.images()])
        return dataclasses.replace(
            kept,
            paths=self.paths[chosen],
            sizes=None if self.sizes is None else self.sizes[chosen],
            offsets=offsets_from(counts[chosen]),
        )

    def keep(self, rows: np.ndarray) -> "Annotations":
        """Returns all images with the objects for which `rows` [M] is true."""
        counts = np.bincount(self.images()[rows], minlength=len(self))
        found = self.segmentations
        return dataclasses.replace(
            self,
            offsets=offsets_from(counts),
            boxes=self.boxes[rows],
            classes=self.classes[rows],
            crowd=self.crowd[rows],
            area=self.area[rows],
            segmentations=None if found is None else found.take(np.flatnonzero(rows)),
        )


def offsets_from(counts: np.ndarray) -> np.ndarray:
    """Returns where the rows of each of I images begin, and where the last ones end [I + 1]."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def from_rows(
    root: str,
    paths: Sequence[str],
    sizes: Sequence[tuple[int, int]] | None,
    *,
    image: Sequence[int] | np.ndarray,
    boxes: Sequence[Sequence[float]] | np.ndarray,
    classes: Sequence[int] | np.ndarray,
    crowd: Sequence[bool] | np.ndarray | None = None,
    area: Sequence[float] | np.ndarray | None = None,
    segmentations: Segmentations | None = None,
) -> Annotations:
    """Gathers the rows of a reader, in any order, into `Annotations`.

    The boxes of an image keep their order.

    Args:
        root: Folder that `paths` are relative to.
        paths: File name of each of the I images.
        sizes: (width, height) of each image, or None where boxes are fractions.
        image: Index of the image of each of the M boxes.
        boxes: xyxy [M, 4].
        classes: Class index of each box.
        crowd: Whether each box is a crowd; none is by default.
        area: Area of each object in pixels, NaN for "as the box"; all NaN by default.
        segmentations: Of each object, if they are kept.
    """
    image = np.asarray(image, np.int64)
    order = np.argsort(image, kind="stable")
    total = len(image)
    counts = np.bincount(image, minlength=len(paths))
    flags = np.zeros(total, bool) if crowd is None else np.asarray(crowd, bool)
    areas = np.full(total, np.nan) if area is None else np.asarray(area, np.float64)
    areas = np.clip(areas, *_FLOATS)
    return Annotations(
        root=root,
        paths=np.array([os.fsencode(path) for path in paths], dtype=np.bytes_),
        sizes=None if sizes is None else np.asarray(sizes, np.int32).reshape(-1, 2),
        offsets=offsets_from(counts),
        boxes=np.asarray(boxes, np.float64).reshape(-1, 4)[order],
        classes=np.asarray(classes, np.int32)[order],
        crowd=flags[order],
        area=areas[order].astype(np.float32),
        segmentations=None if segmentations is None else segmentations.take(order),
    )


class Repaired(NamedTuple):
    """How many boxes of one kind `clean` changed or dropped."""

    count: int
    examples: tuple[tuple[str, str], ...]  # image path, and class and corners, of the first ones


@dataclasses.dataclass(frozen=True)
class Report:
    """What a dataset holds and what was repaired in it.

    Attributes:
        counts: Objects to train on in each image, crowds excluded [I] int64.
        classes: Class names.
        per_class: Objects of each class, crowds excluded [K] int64.
        crowds: Crowd objects.
        outside: Boxes that reached outside their image and were clipped.
        degenerate: Boxes without width or height, or not finite, that were dropped.
    """

    counts: np.ndarray
    classes: tuple[str, ...]
    per_class: np.ndarray
    crowds: int
    outside: Repaired
    degenerate: Repaired

    def text(self, max_objects: int | None = None) -> str:
        """Returns the report in a few lines, for the start of a run."""
        objects = ", ".join(
            f"{name} {count:,}" for name, count in zip(self.classes, self.per_class, strict=True)
        )
        lines = [
            f"{len(self.counts):,} images, {(self.counts == 0).sum():,} of them without objects; "
            f"{self.counts.sum():,} objects, at most {self.counts.max(initial=0)} in an image"
            + (f"; {self.crowds:,} crowds or ignored objects" if self.crowds else ""),
            f"objects of each class: {objects}",
            *self.repaired(),
        ]
        excess = 0 if max_objects is None else int((self.counts > max_objects).sum())
        if excess:
            lines.append(
                f"{excess:,} images hold more than {max_objects} objects: only the first "
                f"{max_objects} of each are trained on"
            )
        return "\n".join(lines)

    def repaired(self) -> list[str]:
        """Returns what was repaired, a line each."""
        return [
            f"{done} {boxes.count:,} boxes {fault}, as {': '.join(boxes.examples[0])}"
            for done, boxes, fault in (
                ("clipped", self.outside, "that reach outside their image"),
                ("dropped", self.degenerate, "without width or height"),
            )
            if boxes.count
        ]


def clean(
    annotations: Annotations, classes: tuple[str, ...], *, strict: bool = False
) -> tuple[Annotations, Report]:
    """Clips boxes that reach outside their image and drops those that have no extent.

    Args:
        annotations: As read.
        classes: Class names.
        strict: Treats both as errors instead of repairing them.

    Returns:
        Annotations with float32 boxes inside their images, and areas filled in, and the report.

    Raises:
        DataError: With `strict`, for the first box that would be clipped or dropped.
    """
    boxes, sizes, total = annotations.boxes, annotations.sizes, len(annotations)
    image = annotations.images()
    if sizes is None:
        limit, tolerance = np.ones((len(image), 2)), _FRACTION_TOLERANCE
    else:
        limit, tolerance = sizes[image].astype(np.float64), _PIXEL_TOLERANCE
    limit = np.concatenate([limit, limit], axis=1)

    clipped = np.clip(boxes, 0, limit)
    finite = np.isfinite(boxes).all(axis=1)
    # Compared as they will be stored: two float64 corners may fall on one float32.
    stored = clipped.astype(np.float32)
    extent = (stored[:, 2] > stored[:, 0]) & (stored[:, 3] > stored[:, 1])
    keep = finite & extent
    outside = finite & extent & ((boxes < -tolerance) | (boxes > limit + tolerance)).any(axis=1)

    def repaired(faulty: np.ndarray) -> Repaired:
        examples = []
        for row in np.flatnonzero(faulty)[:_EXAMPLES]:
            index = int(image[row])
            unit = "as fractions of the image"
            if sizes is not None:
                unit = f"in {sizes[index, 0]} x {sizes[index, 1]} pixels"
            corners = ", ".join(f"{value:.6g}" for value in boxes[row])
            name = classes[annotations.classes[row]]
            examples.append((annotations.path(index), f"{name} ({corners}) {unit}"))
        return Repaired(int(faulty.sum()), tuple(examples))

    report = Report(
        counts=np.bincount(image[keep & ~annotations.crowd], minlength=total),
        classes=classes,
        per_class=np.bincount(
            annotations.classes[keep & ~annotations.crowd], minlength=len(classes)
        ),
        crowds=int(annotations.crowd[keep].sum()),
        outside=repaired(outside),
        degenerate=repaired(~keep),
    )
    for (count, examples), fault, repair in (
        (report.degenerate, "expected x1 < x2 and y1 < y2 inside the image", "drop"),
        (report.outside, "the box reaches outside its image", "clip"),
    ):
        if strict and count:
            raise DataError(
                f"{': '.join(examples[0])}: {fault} ({count:,} such boxes). Correct them, or "
                f"{repair} them with data.strict=False."
            )

    box_area = (stored[:, 2] - stored[:, 0]) * (stored[:, 3] - stored[:, 1])
    # Some exporters write area 0 for boxes that have no mask.
    area = np.where(annotations.area > 0, annotations.area, box_area)
    kept = dataclasses.replace(annotations, boxes=stored, area=area.astype(np.float32)).keep(keep)
    return kept, report
