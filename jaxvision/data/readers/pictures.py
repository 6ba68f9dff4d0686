"""Pictures of any kind below a folder, without classes: `<path>/<split>/**/*.jpg`."""

import os

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.image import read_bytes
from jaxvision.data.readers.checks import IMAGE_SUFFIXES, walk
from jaxvision.data.sources.labelled import LabelledFiles, check_same_classes

CLASSES = ("picture",)


def pictures(path: str, split: str, *, classes: tuple[str, ...] | None = None) -> LabelledFiles:
    """Opens all pictures below a folder, sorted by name; all are of one class, `picture`.

    Args:
        path: Folder of the dataset.
        split: Folder in it; for `train`, all of `path` if there is no such folder.
        classes: None or `picture`.

    Raises:
        DataError: If there is no such folder or no picture in it.
    """
    check_same_classes("pictures", CLASSES, classes)
    folder = os.path.join(path, split)
    if split == "train" and not os.path.isdir(folder):
        folder = path
    if not os.path.isdir(folder):
        raise DataError(f"{folder}: there is no such folder; set data.path, or data.val_share")
    names = sorted(
        os.path.join(place, file)
        for place, _, files in walk(folder)
        for file in files
        if file.lower().endswith(IMAGE_SUFFIXES) and not file.startswith(".")
    )
    if not names:
        known = ", ".join(sorted(IMAGE_SUFFIXES))
        raise DataError(f"{folder}: there is no picture below it; expected files {known}")
    files = np.array([os.fsencode(name) for name in names], np.bytes_)

    def name(index: int) -> str:
        return os.fsdecode(files[index])

    return LabelledFiles(
        folder,
        CLASSES,
        np.zeros(len(names), np.int32),
        read=lambda index: read_bytes(name(index)),
        image_name=name,
    )
