"""Detection datasets packed into few large files (`jaxvision pack`), for slow disks.

A folder holds one split: encoded images in array_record files, read at random and by several
threads at once; their annotations in one `.npz`; and `dataset.json`, which says what they are.
"""

import json
import os
import zipfile
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from array_record.python.array_record_module import ArrayRecordReader

from jaxvision.data.annotations import Annotations
from jaxvision.data.errors import DataError, OnFault, stop
from jaxvision.data.readers.checks import check_classes, class_index, list_folder, read_text
from jaxvision.data.sources.files import DetectionFiles

FORMAT = "jaxvision packed detection dataset"
VERSION = 1
DESCRIPTION, ANNOTATIONS = "dataset.json", "annotations.npz"

# Dtype and dimensions of each array; I images, M objects. As in `Annotations`.
ARRAYS = {
    "names": ("S", 1),
    "sizes": ("i4", 2),
    "offsets": ("i8", 1),
    "boxes": ("f4", 2),
    "classes": ("i4", 1),
    "crowd": ("?", 1),
    "area": ("f4", 1),
}

# For reads in random order; the defaults read 16 MiB ahead.
_READER_OPTIONS = "readahead_buffer_size:0"


class ImageFile(NamedTuple):
    """An array_record file.

    Attributes:
        name: In the folder.
        records: Images in it.
        bytes: Its size.
    """

    name: str
    records: int
    bytes: int


def packed(
    path: str,
    split: str,
    *,
    classes: tuple[str, ...] | None = None,
    strict: bool = False,
    on_fault: OnFault = stop,
) -> "PackedDetection":
    """Opens a split that `jaxvision pack` wrote.

    Its examples are those of the dataset it was packed from, bit for bit.

    Args:
        path: Folder of the packed dataset.
        split: The folder in it.
        classes: The classes to use, in order, instead of the dataset's own.
        strict: Takes boxes outside their image and boxes without extent for errors; there are none,
            they were mended when the dataset was packed.
        on_fault: Takes a class that is not in `classes`; its objects are left out.

    Raises:
        DataError: If a file is missing, damaged, or of another version, or an object is of a class
            that is not in `classes`.
    """
    folder = os.path.join(path, split)
    if not os.path.exists(os.path.join(folder, DESCRIPTION)):
        known = [
            name
            for name in list_folder(path, "packed splits")
            if os.path.exists(os.path.join(path, name, DESCRIPTION))
        ]
        raise DataError(
            f"{folder}: no packed split; {path} has {', '.join(known) or 'none'}. Make one with "
            "`jaxvision pack`."
        )
    own, files = _describe(folder)
    own = check_classes(own, f"{os.path.join(folder, DESCRIPTION)}: classes")
    arrays = _arrays(folder, sum(file.records for file in files), len(own))
    names = own if classes is None else check_classes(classes, "classes")

    found = np.full(len(own), -1, np.int32)
    for number in np.unique(arrays["classes"]):
        try:
            found[number] = class_index(own[number], names, os.path.join(folder, DESCRIPTION))
        except DataError as fault:
            on_fault(fault)
    labels = found[arrays["classes"]]
    kept = labels >= 0
    annotations = Annotations(
        root=folder,
        paths=arrays["names"],
        sizes=arrays["sizes"],
        offsets=np.concatenate([[0], np.cumsum(kept)])[arrays["offsets"]],
        boxes=arrays["boxes"][kept].astype(np.float64),
        classes=labels[kept],
        crowd=arrays["crowd"][kept],
        area=arrays["area"][kept],
    )
    return PackedDetection(annotations, names, files, strict=strict)


class PackedDetection(DetectionFiles):
    """A detection dataset whose encoded images lie in array_record files."""

    def __init__(
        self,
        annotations: Annotations,
        classes: tuple[str, ...],
        files: Sequence[ImageFile],
        *,
        strict: bool = False,
    ) -> None:
        """Opens the files, without reading an image.

        Args:
            annotations: Of all images, with sizes; `root` is the folder.
            classes: Class names.
            files: Their names in the folder, in the order of the images.
            strict: Takes boxes outside their image and boxes without extent for errors.

        Raises:
            DataError: If a file is missing or not as it was written.
        """
        super().__init__(annotations, classes, strict=strict)
        self._folder = annotations.root
        self._starts = np.cumsum([0, *(file.records for file in files)])
        self._files = [os.path.join(self._folder, file.name) for file in files]
        # One reader a file serves all threads.
        self._readers = [_open(self._folder, file) for file in files]

    def encoded(self, index: int) -> bytes:
        """Returns an image as it is stored.

        Raises:
            DataError: If the file is damaged there.
        """
        number = int(np.searchsorted(self._starts, index, side="right")) - 1
        try:
            return self._readers[number].read([index - int(self._starts[number])])[0]
        except RuntimeError as error:
            raise _damaged(self._files[number], f"{self.name(index)}: {error}") from error

    def name(self, index: int) -> str:
        """Names an image: the packed split, its number there, and where it was packed from."""
        return f"{self._folder}[{index}] ({super().name(index)})"


def describe(
    classes: Sequence[str],
    files: Sequence[ImageFile],
    counts: dict[str, Any],
    options: dict[str, Any],
) -> str:
    """Writes the content of `dataset.json`.

    Args:
        classes: Class names.
        files: Where the images are.
        counts: What is in it, for people.
        options: Where it came from, for people.
    """
    content = {"format": FORMAT, "version": VERSION, "classes": list(classes)}
    content |= {"counts": counts, "options": options}
    content["files"] = [file._asdict() for file in files]
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def is_packed(folder: str) -> bool:
    """Says whether a folder is a packed split, whole or damaged, of any version."""
    try:
        content = json.loads(read_text(os.path.join(folder, DESCRIPTION), "description"))
    except ValueError:
        return False
    return isinstance(content, dict) and content.get("format") == FORMAT


def _describe(folder: str) -> tuple[list[str], list[ImageFile]]:
    """Returns the class names and image files that `dataset.json` lists."""
    path = os.path.join(folder, DESCRIPTION)
    try:
        content = json.loads(read_text(path, "description of the packed split"))
        if content["format"] != FORMAT:
            raise KeyError("format")
        version = content["version"]
        if version == VERSION:
            files = [ImageFile(**entry) for entry in content["files"]]
            return [str(name) for name in content["classes"]], files
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise _damaged(path, f"not the description of a packed split ({error})") from error
    raise DataError(
        f"{path}: packed in version {version} of the format, expected {VERSION}; pack the dataset "
        "again with this jaxvision, or use the one that packed it"
    )


def _arrays(folder: str, images: int, classes: int) -> dict[str, np.ndarray]:
    """Reads the annotations and checks that they fit together."""
    path = os.path.join(folder, ANNOTATIONS)
    try:
        # numpy leaves a file that it opened itself open when it turns out to be damaged.
        with open(path, "rb") as data, np.load(data, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ARRAYS}  # a zip file has checksums
    except FileNotFoundError as error:
        raise _damaged(path, "the file is missing") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(path, str(error)) from error
    for name, (kind, dimensions) in ARRAYS.items():
        array = arrays[name]
        dtype = array.dtype.kind if kind == "S" else array.dtype
        if dtype != np.dtype(kind) and dtype != kind or array.ndim != dimensions:
            raise _damaged(path, f"{name} is {array.dtype} {array.shape}")
    offsets, objects = arrays["offsets"], len(arrays["boxes"])
    whole = (
        len(arrays["names"]) == len(arrays["sizes"]) == len(offsets) - 1 == images
        and all(len(arrays[name]) == objects for name in ("classes", "crowd", "area"))
        and arrays["sizes"].shape[1:] == (2,)
        and arrays["boxes"].shape[1:] == (4,)
        and offsets[0] == 0
        and offsets[-1] == objects
        and (np.diff(offsets) >= 0).all()
        and ((arrays["classes"] >= 0) & (arrays["classes"] < classes)).all()
    )
    if not whole:
        raise _damaged(path, f"its arrays do not fit together, or not to {DESCRIPTION}")
    return arrays


def _open(folder: str, file: ImageFile) -> ArrayRecordReader:
    path = os.path.join(folder, file.name)
    try:
        size = os.path.getsize(path)
    except OSError as error:
        raise _damaged(path, error.strerror or "unreadable") from error
    if size != file.bytes:
        raise _damaged(path, f"expected {file.bytes:,} bytes, got {size:,}")
    reader = ArrayRecordReader(path, options=_READER_OPTIONS, file_reader_buffer_size=1 << 15)
    if not reader.ok():
        raise _damaged(path, "the file is unreadable, or no array_record file")
    if reader.num_records() != file.records:
        raise _damaged(path, f"expected {file.records:,} images, got {reader.num_records():,}")
    return reader


def _damaged(path: str, reason: str) -> DataError:
    return DataError(
        f"{path}: {reason}. The packed split is damaged or not copied whole: copy it or pack it "
        "again (`jaxvision pack --overwrite`)."
    )
