"""Checks images that have a label map each."""

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from jaxvision.check.findings import Example, Faults, Finding, found, ranked, relative
from jaxvision.check.summary import Counts, Summary
from jaxvision.data.errors import DataError
from jaxvision.data.pixel_frequency import PixelCounts, median_frequency
from jaxvision.data.sample import VOID
from jaxvision.data.segmentation import segmentation_source
from jaxvision.data.sources.label_maps import LabelMapFiles

# Share of void pixels from which a label map teaches little.
_MUCH_VOID = 0.5


class CheckedMaps(NamedTuple):
    """A split that was read.

    Attributes:
        source: Its examples.
        readable: Which of them training can use [I] bool.
        pixels: Of each class in each image, void last [I, K + 1] int64.
    """

    source: LabelMapFiles
    readable: np.ndarray
    pixels: np.ndarray

    def counts(self) -> PixelCounts:
        """Counts the pixels of all images that can be read."""
        of_classes = self.pixels[:, :-1]
        shown = of_classes > 0
        known = of_classes.sum(axis=1, keepdims=True)
        return PixelCounts(
            of_classes.sum(axis=0),
            (shown * known).sum(axis=0),
            shown.sum(axis=0),
            int(self.pixels[:, -1].sum()),
        )


def check_label_maps(
    source: str,
    path: str,
    splits: Mapping[str, str],
    *,
    classes: tuple[str, ...] | None = None,
    progress: Callable[[str, int], Callable[[int], None]] = lambda split, total: lambda count: None,
) -> tuple[Summary, CheckedMaps | None]:
    """Checks a segmentation dataset: every image and label map is read.

    Args:
        source: Format, as `segmentation_source` takes it.
        path: Folder of the dataset.
        splits: Name of the split for `train` and, if there is one, for `val`.
        classes: The classes to use; by default the training split's own.
        progress: Called with each split and its number of images; returns what to call with the
            number of images read since the last call.

    Returns:
        The report, and the training split if it can be opened.
    """
    path = os.path.expanduser(path)
    opened: dict[str, CheckedMaps] = {}
    findings: list[Finding] = []
    for split, name in splits.items():
        faults = Faults(split)
        try:
            files = segmentation_source(source, path, name, classes=classes)
        except DataError as fault:
            faults(fault, otherwise="unreadable-split")
            findings += faults.findings()
            continue
        if not isinstance(files, LabelMapFiles):
            raise ValueError(f"source must be a dataset of files, got {source!r}")
        if split == "train":
            classes = files.classes
        checked = _read(files, faults, progress(split, len(files)))
        opened[split] = checked
        findings += [*faults.findings(), *_check_split(split, checked)]
    counts = {split: checked.counts() for split, checked in opened.items()}
    names = classes or ()
    summary = Summary(
        source=source,
        path=path,
        splits=dict(splits),
        tables=[_table(split, names, of_split) for split, of_split in counts.items()],
        statistics={
            split: {
                "images": len(opened[split].source),
                "unreadable": int((~opened[split].readable).sum()),
                "pixels": dict(zip(names, of_split.by_class.tolist(), strict=True)),
                "void": of_split.void,
                "median_frequency": median_frequency(of_split).tolist(),
            }
            for split, of_split in counts.items()
        },
        findings=tuple(relative(finding, path) for finding in ranked(findings)),
    )
    return summary, opened.get("train")


def _read(files: LabelMapFiles, faults: Faults, advance: Callable[[int], None]) -> CheckedMaps:
    classes = len(files.classes)
    readable = np.zeros(len(files), bool)
    pixels = np.zeros((len(files), classes + 1), np.int64)
    for index in range(len(files)):
        try:
            mask = files[index].mask
        except DataError as fault:
            faults(fault, otherwise="unreadable-image")
        else:
            counts = np.bincount(np.asarray(mask).ravel(), minlength=VOID + 1)
            pixels[index] = [*counts[:classes], counts[VOID]]
            readable[index] = True
        advance(1)
    return CheckedMaps(files, readable, pixels)


def _check_split(split: str, checked: CheckedMaps) -> list[Finding]:
    source = checked.source
    total = np.maximum(checked.pixels.sum(axis=1), 1)
    void = checked.pixels[:, -1] / total

    def share(index: int) -> Example:
        return Example(source.name(index), f"{void[index]:.0%} void")

    def absent(k: int) -> Example:
        return Example(source.classes[k], "no pixel")

    missing = checked.pixels[:, :-1].sum(axis=0) == 0
    return [
        *found("much-void", split, checked.readable & (void > _MUCH_VOID), share),
        *found("class-without-pixels", split, missing, absent),
    ]


def _table(split: str, names: tuple[str, ...], counts: PixelCounts) -> Counts:
    total = max(int(counts.by_class.sum()) + counts.void, 1)
    weights = median_frequency(counts)
    rows = [
        (
            name,
            f"{counts.by_class[k] / total:.2%}",
            f"{counts.images[k]:,}",
            f"{weights[k]:.3g}",
        )
        for k, name in enumerate(names)
    ]
    rows.append(("void", f"{counts.void / total:.2%}", "", ""))
    shares = [float(count) / total for count in (*counts.by_class, counts.void)]
    largest = max(*shares, 1e-9)
    head = ("class", f"{split} pixels", "images", "median-frequency weight")
    return Counts(f"Classes of {split}", head, rows, [share / largest for share in shares])
