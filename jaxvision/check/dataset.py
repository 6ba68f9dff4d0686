"""Opens the splits of a dataset as training does, and runs every check on them."""

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

from jaxvision.check.copies import check_copies, check_overlap
from jaxvision.check.findings import Faults, Finding, ranked, relative
from jaxvision.check.formats import check_format
from jaxvision.check.images import ImageFacts, check_headers, read_images
from jaxvision.check.kinds import Severity
from jaxvision.check.objects import check_objects
from jaxvision.check.statistics import Statistics, measure
from jaxvision.data.detection import detection_source
from jaxvision.data.errors import DataError
from jaxvision.data.sources.files import DetectionFiles


class CheckedSplit(NamedTuple):
    """A split that was read.

    Attributes:
        source: Its examples.
        images: What was found in its images.
    """

    source: DetectionFiles
    images: ImageFacts


class Report(NamedTuple):
    """What a check found.

    Attributes:
        source: Format of the dataset.
        path: Its folder.
        splits: Name of each split that was asked for, by `train` and `val`.
        image_size: Side of the network's input in pixels.
        max_objects: Objects an image that training takes.
        classes: Class names; empty if the training split cannot be read.
        statistics: Of each split that can be read.
        findings: Worst first.
    """

    source: str
    path: str
    splits: dict[str, str]
    image_size: int
    max_objects: int
    classes: tuple[str, ...]
    statistics: dict[str, Statistics]
    findings: tuple[Finding, ...]

    def count(self, severity: Severity) -> int:
        """Returns how many findings are of a severity."""
        return sum(finding.kind.severity == severity for finding in self.findings)

    @property
    def trainable(self) -> bool:
        """Whether training would run, and learn something."""
        return not self.count(Severity.ERROR)


def check_dataset(
    source: str,
    path: str,
    splits: Mapping[str, str],
    *,
    classes: tuple[str, ...] | None = None,
    image_size: int = 640,
    max_objects: int = 120,
    workers: int = 2,
    progress: Callable[[str, int], Callable[[int], None]] = lambda split, total: lambda count: None,
) -> tuple[Report, dict[str, CheckedSplit]]:
    """Checks a detection dataset.

    Args:
        source: Format, as `detection_source` takes it, but not `shapes`.
        path: Folder of the dataset.
        splits: Name of the split for `train` and, if there is one, for `val`.
        classes: The classes to use; by default the training split's own.
        image_size: Side of the network's input in pixels.
        max_objects: Objects an image that training takes.
        workers: Threads that read images.
        progress: Called with each split and its number of images; returns what to call with the
            number of images read since the last call.

    Returns:
        The report, and the splits that could be read.

    Raises:
        ValueError: If `source` is unknown, or no dataset of files.
    """
    path = os.path.expanduser(path)
    opened: dict[str, CheckedSplit] = {}
    findings: list[Finding] = []
    for split, name in splits.items():
        faults = Faults(split)
        try:
            files = detection_source(source, path, name, classes=classes, on_fault=faults)
        except DataError as fault:
            faults(fault, otherwise="unreadable-split")
            findings += faults.findings()
            continue
        if not isinstance(files, DetectionFiles):
            raise ValueError(f"source must be a dataset of files, got {source!r}")
        if split == "train":
            # As training does: both splits have the same classes.
            classes = files.classes
        images = read_images(
            files, workers=workers, on_fault=faults, advance=progress(split, len(files))
        )
        opened[split] = CheckedSplit(files, images)
        # Images that were not read get the size that their annotation states.
        sizes = files.annotations.sizes if files.annotations.sizes is not None else images.sizes
        findings += [
            *faults.findings(),
            *check_objects(split, files, sizes, image_size=image_size, max_objects=max_objects),
            *check_headers(split, files, images),
            *check_copies(split, files, images),
            *check_format(source, path, split, name, files),
        ]
    if len(opened) == 2:
        findings += check_overlap(*opened["train"], *opened["val"])
    report = Report(
        source=source,
        path=path,
        splits=dict(splits),
        image_size=image_size,
        max_objects=max_objects,
        classes=opened["train"].source.classes if "train" in opened else (),
        statistics={
            split: measure(*checked, image_size=image_size, max_objects=max_objects)
            for split, checked in opened.items()
        },
        findings=tuple(relative(finding, path) for finding in ranked(findings)),
    )
    return report, opened
