"""Files, folders and class names as every reader needs them, with clear errors."""

import os
from collections.abc import Iterable, Sequence

from jaxvision.data.errors import DataError, OnFault, stop

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def read_text(path: str, purpose: str) -> str:
    """Reads a UTF-8 file.

    Args:
        path: The file.
        purpose: What it is, for the message.

    Raises:
        DataError: If it is missing, unreadable or not UTF-8.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except OSError as error:
        raise DataError(f"{path}: cannot read the {purpose}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: the {purpose} is not UTF-8 text: {error}") from error


def list_folder(path: str, purpose: str) -> list[str]:
    """Returns the names in a folder, sorted.

    Args:
        path: The folder.
        purpose: What it holds, for the message.

    Raises:
        DataError: If it is missing or unreadable.
    """
    try:
        return sorted(os.listdir(path))
    except OSError as error:
        raise DataError(f"{path}: cannot list the folder of {purpose}: {error.strerror}") from error


def files_exist(root: str, paths: Sequence[str]) -> list[bool]:
    """Says which files are there, with one listing a folder.

    Args:
        root: Folder that `paths` are relative to.
        paths: The files.
    """
    listings: dict[str, set[str]] = {}
    there = []
    for path in paths:
        folder, name = os.path.split(os.path.join(root, path))
        if folder not in listings:
            listings[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        there.append(name in listings[folder])
    return there


def check_files_exist(
    root: str, paths: Sequence[str], source: str, on_fault: OnFault = stop
) -> list[bool]:
    """Checks that all files are there, with one listing a folder.

    Args:
        root: Folder that `paths` are relative to.
        paths: The files.
        source: What names them, for the message.
        on_fault: Called with the error of every missing file.

    Returns:
        Whether each one is there.
    """
    there = files_exist(root, paths)
    for path, found in zip(paths, there, strict=True):
        if not found:
            on_fault(
                DataError(
                    f"{os.path.join(root, path)}: the image is missing, but {source} names it "
                    f"({there.count(False):,} of {len(paths):,} images are missing). Check "
                    "data.path, or take them out of the split.",
                    code="missing-image",
                )
            )
    return there


def class_index(name: str, classes: Sequence[str], where: str) -> int:
    """Looks up a class.

    Args:
        name: The class of an annotation.
        classes: The known ones.
        where: File and field, for the message.

    Raises:
        DataError: If the class is not known.
    """
    try:
        return classes.index(name)
    except ValueError:
        raise DataError(
            f"{where}: unknown class {name!r}; the known classes are {', '.join(classes)}. Add it "
            "to the classes, correct the annotation, or check that train and val are of the same "
            "dataset.",
            code="unknown-class",
        ) from None


def check_classes(classes: Iterable[str], where: str, on_fault: OnFault = stop) -> tuple[str, ...]:
    """Checks a list of class names: not empty, no name twice.

    Args:
        classes: The names.
        where: File and field, for the message.
        on_fault: Called with the error of a name that comes twice.

    Returns:
        The names, each once.

    Raises:
        DataError: If it is empty.
    """
    names = tuple(classes)
    if not names:
        raise DataError(f"{where}: no class names; expected at least one", code="no-classes")
    twice = sorted({name for name in names if names.count(name) > 1})
    for name in twice:
        message = f"{where}: class names must differ, got {name!r} twice"
        on_fault(DataError(message, code="repeated-class"))
    return tuple(dict.fromkeys(names))


def dataset_folder(source: str, path: str | None, split: str) -> str:
    """Checks that a dataset on disk is named completely.

    Args:
        source: Its format, for the message.
        path: Its folder.
        split: Name of the split.

    Returns:
        The folder, `~` expanded, which no shell does in `--config.data.path=~/data`.

    Raises:
        DataError: If `path` or `split` is empty.
    """
    if not path:
        raise DataError(f"data.path must name the folder of the dataset for data.source={source}")
    if not split:
        raise DataError(f"data.train and data.val must name a split of {path}, got {split!r}")
    return os.path.expanduser(path)
