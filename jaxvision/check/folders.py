"""Checks images that are sorted into a folder for each class."""

import os
from collections.abc import Callable, Mapping

import numpy as np

from jaxvision.check.copies import check_copies, check_overlap, earlier_copy
from jaxvision.check.findings import Example, Faults, Finding, first, found, ranked, relative
from jaxvision.check.images import ImageFacts, check_storage, read_images
from jaxvision.check.summary import Counts, Summary
from jaxvision.data.errors import DataError
from jaxvision.data.readers.image_folder import image_folder
from jaxvision.data.sources.labelled import LabelledFiles

# Pixels of a side below which a picture shows little.
_TINY = 16
# Training images of a class below which little is learned of it, and how many times more images
# the largest class may have than the smallest.
_FEW, _IMBALANCE = 10, 10


def check_folders(
    path: str,
    splits: Mapping[str, str],
    *,
    classes: tuple[str, ...] | None = None,
    workers: int = 2,
    progress: Callable[[str, int], Callable[[int], None]] = lambda split, total: lambda count: None,
) -> tuple[Summary, LabelledFiles | None, np.ndarray]:
    """Checks a dataset of image folders.

    Args:
        path: Folder of the dataset.
        splits: Name of the split for `train` and, if there is one, for `val`.
        classes: The classes to use; by default the training split's own.
        workers: Threads that read images.
        progress: Called with each split and its number of images; returns what to call with the
            number of images read since the last call.

    Returns:
        The report, the training split if it can be opened, and the numbers of its readable images.
    """
    path = os.path.expanduser(path)
    opened: dict[str, tuple[LabelledFiles, ImageFacts]] = {}
    findings: list[Finding] = []
    for split, name in splits.items():
        faults = Faults(split)
        try:
            files = image_folder(path, name, classes=classes)
        except DataError as fault:
            faults(fault, otherwise="unreadable-split")
            findings += faults.findings()
            continue
        if split == "train":
            classes = files.classes
        facts = read_images(
            files, workers=workers, on_fault=faults, advance=progress(split, len(files))
        )
        opened[split] = files, facts
        findings += [
            *faults.findings(),
            *_check_split(split, files, facts),
            *first("other-files", split, bool(files.notes), [(f"{path}/{name}", files.notes)]),
        ]
    if len(opened) == 2:
        findings += check_overlap(*opened["train"], *opened["val"])
    names = classes or ()
    counts = {
        split: np.bincount(files.labels, minlength=len(names))
        for split, (files, _) in opened.items()
    }
    summary = Summary(
        source="image_folder",
        path=path,
        splits=dict(splits),
        tables=[_table(names, counts)] if counts else [],
        statistics={
            split: {
                "images": int(of_split.sum()),
                "classes": dict(zip(names, of_split.tolist(), strict=True)),
                "unreadable": int((~opened[split][1].readable).sum()),
            }
            for split, of_split in counts.items()
        },
        findings=tuple(relative(finding, path) for finding in ranked(findings)),
    )
    train, facts = opened.get("train", (None, None))
    return summary, train, np.flatnonzero(facts.readable) if facts else np.zeros(0, np.int64)


def _check_split(split: str, files: LabelledFiles, facts: ImageFacts) -> list[Finding]:
    original = earlier_copy(facts)
    conflict = files.labels != files.labels[original]
    tiny = facts.readable & (facts.sizes.min(axis=1) < _TINY)

    def size(index: int) -> Example:
        width, height = facts.sizes[index]
        return Example(files.name(index), f"{width} x {height} pixels")

    def copy(index: int) -> Example:
        return Example(files.name(index), f"as {files.name(int(original[index]))}")

    return [
        *found("two-class-image", split, conflict, copy),
        *check_copies(split, files, facts),
        *found("tiny-image", split, tiny, size),
        *check_storage(split, files, facts),
        *_check_classes(split, files),
    ]


def _check_classes(split: str, files: LabelledFiles) -> list[Finding]:
    """Finds classes without or with few images."""
    counts = np.bincount(files.labels, minlength=len(files.classes))

    def example(k: int) -> Example:
        return Example(files.classes[k], f"{counts[k]:,} images")

    findings = found("class-without-images", split, counts == 0, example)
    if split == "train":
        findings += found("few-images", split, (counts > 0) & (counts < _FEW), example)
        low, high = int(counts.argmin()), int(counts.argmax())
        if counts[high] > _IMBALANCE * max(counts[low], 1):
            where = np.isin(np.arange(len(counts)), (low, high))
            findings += found("imbalanced-classes", split, where, example)
    return findings


def _table(names: tuple[str, ...], counts: Mapping[str, np.ndarray]) -> Counts:
    largest = max(int(of_split.max(initial=1)) for of_split in counts.values())
    rows = [
        (name, *(f"{int(of_split[k]):,}" for of_split in counts.values()))
        for k, name in enumerate(names)
    ]
    of_bars = next(iter(counts.values()))
    head = ("class", *(f"{split} images" for split in counts))
    return Counts("Classes", head, rows, [int(n) / largest for n in of_bars])
