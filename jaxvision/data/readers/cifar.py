"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009) in their binary version.

https://www.cs.toronto.edu/~kriz/cifar.html: records of a label byte, for CIFAR-100 a coarse and a
fine one, and 3,072 bytes of pixels, the planes red, green and blue one after another.
"""

import os

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.image import read_bytes
from jaxvision.data.readers.checks import check_classes, read_text
from jaxvision.data.sources.labelled import LabelledArrays, check_same_classes

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer")
CIFAR10_CLASSES += ("dog", "frog", "horse", "ship", "truck")
_PIXELS = 3 * 32 * 32
_FILES = {
    "cifar10": {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]},
    "cifar100": {"train": ["train.bin"], "test": ["test.bin"]},
}
_ARCHIVES = {"cifar10": "cifar-10-binary.tar.gz", "cifar100": "cifar-100-binary.tar.gz"}
_FOLDERS = {"cifar10": "cifar-10-batches-bin", "cifar100": "cifar-100-binary"}


def cifar10(path: str, split: str, *, classes: tuple[str, ...] | None = None) -> LabelledArrays:
    """Opens a split of CIFAR-10; all of it is read, 154 MB at most.

    Args:
        path: Folder of the `.bin` files, or the one above it.
        split: `train` or `test`.
        classes: The classes in order; those of the dataset and no others.
    """
    return _open("cifar10", path, split, CIFAR10_CLASSES, classes)


def cifar100(path: str, split: str, *, classes: tuple[str, ...] | None = None) -> LabelledArrays:
    """Opens a split of CIFAR-100 with its 100 fine classes; otherwise as `cifar10`."""
    names = os.path.join(_folder("cifar100", path), "fine_label_names.txt")
    own = check_classes(read_text(names, "class names").split(), names)
    return _open("cifar100", path, split, own, classes)


def _folder(kind: str, path: str) -> str:
    inner = os.path.join(path, _FOLDERS[kind])
    folder = inner if os.path.isdir(inner) else path
    there = set(os.listdir(folder)) if os.path.isdir(folder) else set()
    if there & {"data_batch_1", "batches.meta", "train", "meta"} and not any(
        name.endswith(".bin") for name in there
    ):
        raise DataError(
            f"{folder}: this is the Python version of {kind}, pickle files, which run whatever "
            f"code they hold when they are read. Download the binary version, {_ARCHIVES[kind]}."
        )
    return folder


def _open(
    kind: str, path: str, split: str, own: tuple[str, ...], classes: tuple[str, ...] | None
) -> LabelledArrays:
    if split not in _FILES[kind]:
        raise DataError(f"{kind}: the splits are train and test, got {split!r}")
    check_same_classes(kind, own, classes)
    folder = _folder(kind, path)
    labels_a_record = 1 if kind == "cifar10" else 2
    record = labels_a_record + _PIXELS
    parts = []
    for file in _FILES[kind][split]:
        name = os.path.join(folder, file)
        content = read_bytes(name, f"{kind} images (the binary version, {_ARCHIVES[kind]})")
        if not content or len(content) % record:
            raise DataError(
                f"{name}: expected records of {record:,} bytes, got {len(content):,} bytes in all; "
                f"the file is cut off or not of {kind}. Download {_ARCHIVES[kind]} again."
            )
        parts.append(np.frombuffer(content, np.uint8).reshape(-1, record))
    records = np.concatenate(parts)
    planes = records[:, labels_a_record:].reshape(-1, 3, 32, 32)
    return LabelledArrays(
        os.path.join(folder, split),
        own,
        records[:, labels_a_record - 1].astype(np.int32),
        np.ascontiguousarray(planes.transpose(0, 2, 3, 1)),
    )
