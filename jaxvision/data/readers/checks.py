"""Files, folders and class names as every reader needs them, with clear errors."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from jaxvision.data.errors import DataError, OnFault, shown, stop
from jaxvision.data.picture import MAX_SIDE

# Longest path of a file, in bytes.
_MAX_NAME = 4096
# Allows names of files outside the folder of a dataset.
OUTSIDE = "JAXVISION_OUTSIDE"

IMAGE_SUFFIXES = (".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def read_text(path: str, purpose: str) -> str:
    """Reads a UTF-8 file; DataError, with its `purpose`, if it is unreadable or of other bytes."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except OSError as error:
        raise DataError(f"{path}: cannot read the {purpose}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: the {purpose} is not UTF-8 text: {error}") from error
    except ValueError as error:
        raise DataError(f"{path!r} cannot be the name of the {purpose}: {error}") from error


def list_folder(path: str, purpose: str) -> list[str]:
    """Returns the names in a folder of `purpose`, sorted; DataError if it is unreadable."""
    try:
        return sorted(os.listdir(path))
    except OSError as error:
        raise DataError(f"{path}: cannot list the folder of {purpose}: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{path!r} cannot be the folder of {purpose}: {error}") from error


def check_side(value: Any, where: str, text: str | None = None) -> int:
    """Checks the width or height of an image.

    Args:
        value: The number, as it was parsed.
        where: File and field, for the message.
        text: The number as it is written there, if it is text.

    Returns:
        The number of pixels, from 1 to `MAX_SIDE`.

    Raises:
        DataError: If it is none.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # Compared before it is rounded: NaN and infinity cannot be.
    if not is_number or not 1 <= value <= MAX_SIDE or value % 1:
        raise DataError(
            f"{where} must be a whole, positive number of pixels, at most {MAX_SIDE:,}, got "
            f"{shown(value if text is None else text)}"
        )
    return int(value)


def check_file_name(name: str, where: str) -> str:
    """Checks the name of a file that an annotation names, relative to the dataset's folder.

    Args:
        name: The name.
        where: File and field, for the message.

    Raises:
        DataError: If no file can have it, or it leads outside and `$JAXVISION_OUTSIDE` is not 1.
    """
    try:
        encoded = os.fsencode(name)
    except UnicodeEncodeError:
        encoded = b""
    if not encoded or b"\0" in encoded or len(encoded) > _MAX_NAME:
        raise DataError(f"{where} must be the name of a file, got {shown(name)}")
    parts = name.replace("\\", "/").split("/")
    if (os.path.isabs(name) or ".." in parts) and os.environ.get(OUTSIDE) != "1":
        raise DataError(
            f"{where} must be the name of a file in the dataset's folder, got {name}; set the "
            f"environment variable {OUTSIDE}=1 if you trust who wrote it"
        )
    return name


def check_text(text: str, where: str) -> str:
    """Checks a name that is written to files; DataError if it holds half a character."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{where} must be text, got {shown(text)}: {error.reason}") from error
    return text


def walk(root: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yields each folder below a root, its folders and its files, as `os.walk` does; follows links.

    In each folder of the root a folder is read once, and the root never again: links may go round.
    """
    top = os.stat(root)
    seen: set[tuple[str, int, int]] = set()

    def is_new(folder: str) -> bool:
        found = os.stat(folder)
        key = os.path.relpath(folder, root).split(os.sep)[0], found.st_dev, found.st_ino
        if key in seen or key[1:] == (top.st_dev, top.st_ino):
            return False
        seen.add(key)
        return True

    for folder, inner, files in os.walk(root, followlinks=True):
        inner[:] = [name for name in inner if is_new(os.path.join(folder, name))]
        yield folder, inner, files


def files_exist(root: str, paths: Sequence[str]) -> list[bool]:
    """Says which files, relative to `root`, are there, with one listing a folder."""
    listings: dict[str, set[str]] = {}
    there = []
    for path in paths:
        folder, name = os.path.split(os.path.join(root, path))
        if folder not in listings:
            listings[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        there.append(name in listings[folder])
    return there


@contextlib.contextmanager
def dropping(on_fault: OnFault) -> Iterator[None]:
    """Gives a DataError in the block to `on_fault`; if that returns, what is read is dropped."""
    try:
        yield
    except DataError as fault:
        on_fault(fault)


def images_folder(
    file: str,
    base: str,
    paths: Sequence[str],
    images: str | None = None,
    *,
    stem: str,
    may_be_empty: bool = False,
) -> str:
    """Returns the folder that the file names of a dataset are relative to.

    Args:
        file: That names the images.
        base: Folder of the dataset.
        paths: Names of the images, or the first of them.
        images: The folder, if it is given; otherwise the usual one that holds the most of them.
        stem: Name of the split.
        may_be_empty: Whether a folder that is named like the split is right without any of them.

    Raises:
        DataError: If the given folder is not there, or none holds any image.
    """
    if images is not None:
        list_folder(images, "images")
        return images
    folder = os.path.dirname(file)
    named = [os.path.join(base, stem), os.path.join(base, "images", stem)]
    # COCO itself; the same under images/; images beside the file; names with their folder in them.
    tried = list(dict.fromkeys([*named, folder, os.path.join(base, "images"), base]))
    counts = [sum(files_exist(root, paths)) for root in tried]
    likely = [root for root in named if may_be_empty and os.path.isdir(root)]
    if not any(counts) and not likely:
        raise DataError(
            f"{file}: the image {paths[0]} and all others are missing in {', '.join(tried)}; put "
            "them into one of these"
        )
    return tried[counts.index(max(counts))] if any(counts) else likely[0]


def check_files_exist(
    root: str,
    paths: Sequence[str],
    source: str | Callable[[str], str],
    on_fault: OnFault = stop,
    advice: str = "Check data.path, or take them out of the split.",
) -> list[bool]:
    """Checks that all files are there, as `files_exist` does.

    Args:
        root: Folder that `paths` are relative to.
        paths: The files.
        source: What names them, or a function of a path that says it, for the message.
        on_fault: Called with the error of every missing file.
        advice: What to do about it.
    """
    there = files_exist(root, paths)
    missing = [path for path, found in zip(paths, there, strict=True) if not found]
    for path in missing:
        named_by = source if isinstance(source, str) else source(path)
        place, share = os.path.join(root, path), f"{len(missing):,} of {len(paths):,}"
        message = f"{place}: the image is missing, but {named_by} names it ({share} images are"
        on_fault(DataError(f"{message} missing). {advice}", code="missing-image"))
    return there


def class_index(name: str, classes: Sequence[str], where: str) -> int:
    """Looks up the class of an annotation; DataError, with file and field, if it is unknown."""
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
    """Returns class names, each once; `on_fault` is called with the error of one that came twice.

    Raises:
        DataError: If there is none; `where` is the file and field.
    """
    names = tuple(classes)
    if not names:
        raise DataError(f"{where}: no class names; expected at least one", code="no-classes")
    twice = sorted({name for name in names if names.count(name) > 1})
    for name in twice:
        message = f"{where}: class names must differ, got {name!r} twice"
        on_fault(DataError(message, code="repeated-class"))
    return tuple(dict.fromkeys(names))
