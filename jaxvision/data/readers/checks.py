"""Files, folders and class names as every reader needs them, with their faults told plainly."""

import os
from collections.abc import Iterable, Sequence

from jaxvision.data.errors import DataError

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


def check_files_exist(root: str, paths: Sequence[str], source: str) -> None:
    """Checks that all files are there, with one listing a folder.

    Args:
        root: Folder that `paths` are relative to.
        paths: The files.
        source: What names them, for the message.

    Raises:
        DataError: For the first missing file, with their number.
    """
    listings: dict[str, set[str]] = {}
    missing = []
    for path in paths:
        folder, name = os.path.split(os.path.join(root, path))
        if folder not in listings:
            listings[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        if name not in listings[folder]:
            missing.append(os.path.join(folder, name))
    if missing:
        raise DataError(
            f"{missing[0]}: the image is missing, but {source} names it ({len(missing):,} of "
            f"{len(paths):,} images are missing). Check data.path, or take them out of the split."
        )


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
            "to the classes, mend the annotation, or check that train and val are of the same "
            "dataset."
        ) from None


def check_classes(classes: Iterable[str], where: str) -> tuple[str, ...]:
    """Checks a list of class names: not empty, no name twice.

    Args:
        classes: The names.
        where: File and field, for the message.

    Returns:
        The names.

    Raises:
        DataError: If it is empty or a name comes twice.
    """
    names = tuple(classes)
    if not names:
        raise DataError(f"{where}: no class names; expected at least one")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{where}: class names must differ, got {twice[0]!r} twice")
    return names
