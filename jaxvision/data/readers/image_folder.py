"""Images sorted into a folder for each class: `<path>/<split>/<class>/<any>.jpg`.

`<path>/<split>.zip` with the same folders in it is read in place.
"""

import os
from collections.abc import Iterator, Sequence

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.image import read_bytes
from jaxvision.data.readers.checks import IMAGE_SUFFIXES, list_folder, walk
from jaxvision.data.readers.zip_file import ZipMembers
from jaxvision.data.sources.labelled import LabelledFiles

# Written by operating systems.
_IGNORED = ("thumbs.db", "desktop.ini")


def image_folder(path: str, split: str, *, classes: tuple[str, ...] | None = None) -> LabelledFiles:
    """Opens a split. The classes are its folders, sorted by name; images may lie deeper in them.

    Names that begin with a dot or with `__` are ignored. Files without the suffix of an image
    are dropped, and `describe` says how many. Classes of the training split without an
    image here are reported there, too.

    Args:
        path: Folder of the dataset.
        split: Folder in it, or archive without its `.zip`.
        classes: As for `classification_source`.

    Raises:
        DataError: If the split is missing, an image is not in the folder of a class, a folder has
            no image, there are fewer than two classes, or a folder is not one of `classes`.
    """
    folder, archive = os.path.join(path, split), os.path.join(path, f"{split}.zip")
    if os.path.isdir(folder):
        where = root = folder
        names = sorted(_walk(folder))
        files = np.array([os.fsencode(name) for name in names], np.bytes_)

        def name(number: int) -> str:
            return os.path.join(folder, os.fsdecode(files[number]))

        def read(number: int) -> bytes:
            return read_bytes(name(number))

    elif os.path.isfile(archive):
        members = ZipMembers(archive)
        name, read = members.name, members.read
        names = [os.fsdecode(name) for name in members.names]
        where = root = archive
        # <split>/<class>/<file> where the archive was made from the folder.
        if {name.partition("/")[0] for name in names if not _ignored(name)} == {split}:
            root = f"{archive}/{split}"
            names = [name.removeprefix(f"{split}/") for name in names]
    else:
        there = list_folder(path, "the dataset") if os.path.isdir(path) else []
        shown = ", ".join(there[:10]) or "nothing"
        raise DataError(
            f"{folder}: there is no such folder and no {split}.zip beside it; expected "
            f"{split}/<class>/<image>. {path} holds {shown}. Set data.path, data.train and data.val"
        )
    order, labels, found, notes = _sort(names, root, classes)
    return LabelledFiles(
        where,
        found,
        labels,
        read=lambda index: read(int(order[index])),
        image_name=lambda index: name(int(order[index])),
        notes=notes,
    )


def _walk(root: str) -> Iterator[str]:
    """Yields the files below a folder, relative to it, `/` between their parts; `a/` if empty."""
    for folder, inner, files in walk(root):
        relative = os.path.relpath(folder, root).replace(os.sep, "/")
        prefix = "" if relative == "." else f"{relative}/"
        if prefix and not inner and not files:
            yield prefix  # or a class without files would go unnoticed
        yield from (prefix + name for name in files)


def _ignored(name: str) -> bool:
    parts = name.rstrip("/").split("/")
    return any(part.startswith((".", "__")) for part in parts) or parts[-1].lower() in _IGNORED


def _sort(
    names: Sequence[str], root: str, classes: tuple[str, ...] | None
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], str]:
    """Finds the images among files, named relative to `root`, and their classes.

    Returns:
        Positions of the images, sorted by class and name [I]; their labels [I] int32; the classes;
        and what to report.
    """
    images: dict[str, list[int]] = {}
    loose, others = [], []
    for i, name in enumerate(names):
        if _ignored(name):
            continue
        label, slash, _ = name.partition("/")
        is_image = name.lower().endswith(IMAGE_SUFFIXES)
        if slash:
            images.setdefault(label, [])
        if is_image and slash:
            images[label].append(i)
        elif is_image:
            loose.append(name)
        elif not name.endswith("/"):
            others.append(name)
    if loose:
        raise DataError(
            f"{root}/{loose[0]}: this image is not in the folder of a class ({len(loose):,} such "
            "images). Expected <split>/<class>/<image>: move it into its class."
        )
    empty = sorted(label for label, found in images.items() if not found)
    if empty:
        raise DataError(
            f"{root}/{empty[0]}: the folder of a class holds no image ({', '.join(IMAGE_SUFFIXES)})"
            "; add images to it, or remove the folder."
        )
    known = tuple(sorted(images)) if classes is None else tuple(classes)
    if classes is None and len(known) < 2:
        raise DataError(
            f"{root}: expected the folders of two or more classes, got "
            f"{', '.join(known) or 'none'}. Expected <split>/<class>/<image>; check data.path."
        )
    unknown = sorted(images.keys() - set(known))
    if unknown:
        raise DataError(
            f"{root}/{unknown[0]}: unknown class {unknown[0]!r}; the known classes are "
            f"{', '.join(known)}. Folders of one class must have one name in train and val."
        )
    order, labels = [], []
    for label in sorted(images):
        order += sorted(images[label], key=names.__getitem__)
        labels += [known.index(label)] * len(images[label])
    notes = ""
    if others:
        shown = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        notes = f"dropped, without the suffix of an image: {len(others):,} files ({shown})"
    return np.array(order, np.int64), np.array(labels, np.int32), known, notes
