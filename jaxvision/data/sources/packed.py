"""Datasets packed into few large files (`jaxvision pack`), for slow disks.

A folder holds one split: encoded images, and encoded label maps and targets where samples have
them, in array_record files, read at random and by several threads at once; everything else in one
`.npz`; and `dataset.json`, which says what they are.
"""

import json
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from array_record.python.array_record_module import ArrayRecordReader

from jaxvision.data.annotations import Annotations
from jaxvision.data.errors import DataError, OnFault, shown, stop
from jaxvision.data.image import decode_image
from jaxvision.data.picture import opened
from jaxvision.data.readers.checks import (
    check_classes,
    class_index,
    dropping,
    list_folder,
    read_text,
)
from jaxvision.data.sample import Sample
from jaxvision.data.segmentations import Segmentations
from jaxvision.data.source import Annotation, Source
from jaxvision.data.sources.encoded import Encoded
from jaxvision.data.sources.files import DetectionFiles
from jaxvision.data.sources.labelled import describe_labels
from jaxvision.data.sources.packed_arrays import damaged, read_arrays

FORMAT = "jaxvision packed dataset"
VERSION = 2
DESCRIPTION = "dataset.json"

_EXTRA = {"labels", "proposals"}

# For reads in random order; the defaults read 16 MiB ahead.
_READER_OPTIONS = "readahead_buffer_size:0"


class RecordFile(NamedTuple):
    """Name, number of images and size of an array_record file."""

    name: str
    records: int
    bytes: int


class Contents(NamedTuple):
    """What `dataset.json` lists."""

    classes: tuple[str, ...] | None  # None where neither images nor objects have a class
    files: dict[str, list[RecordFile]]  # by kind: `image`, `mask` (label maps) and `target`
    clip: bool  # whether images are clips, frame below frame


def packed(
    path: str,
    split: str,
    *,
    classes: tuple[str, ...] | None = None,
    strict: bool = False,
    on_fault: OnFault = stop,
) -> Source:
    """Opens a split that `jaxvision pack` wrote.

    Its samples are those of the dataset it was packed from, bit for bit.

    Args:
        path: Folder of the packed dataset.
        split: The folder in it.
        classes: The classes to use, in order, instead of the dataset's own.
        strict: As for `detection_source`; faulty boxes were repaired when the dataset was packed.
        on_fault: Called with the error of each class that is not in `classes`; if it returns, the
            objects of that class are dropped.

    Raises:
        DataError: If a file is missing, damaged, or of another version, or a class is unknown.
    """
    folder = os.path.join(path, split)
    if not os.path.exists(os.path.join(folder, DESCRIPTION)):
        there = list_folder(path, "packed splits")
        known = [name for name in there if os.path.exists(os.path.join(path, name, DESCRIPTION))]
        raise DataError(
            f"{folder}: no packed split; {path} has {', '.join(known) or 'none'}. Make one with "
            "`jaxvision pack`."
        )
    contents, where = _contents(folder), os.path.join(folder, DESCRIPTION)
    own: tuple[str, ...] = ()
    if contents.classes is not None:
        own = check_classes(contents.classes, f"{where}: classes")
    names = own if classes is None else check_classes(classes, "classes")
    counts = {sum(file.records for file in files) for files in contents.files.values()}
    arrays = read_arrays(folder, counts, len(own))

    def name(index: int) -> str:
        origin = os.fsdecode(arrays["names"][index])
        return f"{folder}[{index}] ({os.path.join(folder, origin)})"

    def matched(labels: np.ndarray, on_fault: OnFault) -> np.ndarray:
        """Returns the index among `names` of each label; -1 for one that is not there."""
        found = np.full(len(own), -1, np.int32)
        for number in np.unique(labels):
            with dropping(on_fault):
                found[number] = class_index(own[int(number)], names, where)
        return found[labels]

    records = {kind: _Records(folder, files, name) for kind, files in contents.files.items()}
    images, detection = records["image"], None
    if "boxes" in arrays:
        annotations = _annotations(folder, arrays, matched(arrays["classes"], on_fault))
        detection = DetectionFiles(
            annotations, names, strict=strict, read=images.read, image_name=name
        )
        if not contents.clip and records.keys() == {"image"} and not _EXTRA & arrays.keys():
            return detection
    labels = arrays.get("labels")
    if labels is not None and labels.ndim == 1:
        labels = matched(labels, stop)
    elif labels is not None and names != own:
        raise DataError(
            f"{where}: multi-label targets are of the classes {', '.join(own)}, got "
            f"{', '.join(names)}"
        )
    return PackedSamples(folder, names, labels, arrays, records, detection, clip=contents.clip)


def _annotations(folder: str, arrays: dict[str, np.ndarray], labels: np.ndarray) -> Annotations:
    """Returns the objects of which `labels` [M] is at least 0, the class."""
    segmentations = None
    if "mask_data" in arrays:
        segmentations = Segmentations(arrays["mask_data"].tobytes(), arrays["mask_ends"])
    columns = {name: arrays[name] for name in ("sizes", "offsets", "crowd", "area")}
    boxes = arrays["boxes"].astype(np.float64)
    annotations = Annotations(
        folder, arrays["names"], boxes=boxes, classes=labels, segmentations=segmentations, **columns
    )
    return annotations.keep(labels >= 0)


def _open(folder: str, file: RecordFile) -> ArrayRecordReader:
    path = os.path.join(folder, file.name)
    try:
        size = os.path.getsize(path)
    except OSError as error:
        raise damaged(path, error.strerror or "unreadable") from error
    if size != file.bytes:
        raise damaged(path, f"expected {file.bytes:,} bytes, got {size:,}")
    reader = ArrayRecordReader(path, options=_READER_OPTIONS, file_reader_buffer_size=1 << 15)
    if not reader.ok():
        raise damaged(path, "the file is unreadable, or no array_record file")
    if reader.num_records() != file.records:
        raise damaged(path, f"expected {file.records:,} images, got {reader.num_records():,}")
    return reader


class _Records:
    """The records of one kind, by the number of their image, and what to call that."""

    def __init__(
        self, folder: str, files: Sequence[RecordFile], name: Callable[[int], str]
    ) -> None:
        self.name = name
        self._starts = np.cumsum([0, *(file.records for file in files)])
        self._files = [os.path.join(folder, file.name) for file in files]
        # One reader a file serves all threads.
        self._readers = [_open(folder, file) for file in files]

    def read(self, index: int) -> bytes:
        """Returns a record, or raises DataError if the file is damaged there."""
        number = int(np.searchsorted(self._starts, index, side="right")) - 1
        try:
            return self._readers[number].read([index - int(self._starts[number])])[0]
        except RuntimeError as error:
            raise damaged(self._files[number], f"{self.name(index)}: {error}") from error


class PackedSamples(Encoded):
    """A packed dataset of any other task than detection, or with more than its objects."""

    def __init__(
        self,
        folder: str,
        classes: tuple[str, ...],
        labels: np.ndarray | None,
        arrays: dict[str, np.ndarray],
        records: dict[str, _Records],
        detection: DetectionFiles | None,
        *,
        clip: bool,
    ) -> None:
        """Takes what was read, without reading an image; for `clip` see `Contents`."""
        super().__init__(arrays["sizes"], records["image"].read, records["image"].name)
        self.classes, self.labels = classes, labels
        self.max_objects = 0 if detection is None else detection.max_objects
        self.dense = clip or len(records) > 1 or bool(detection and detection.dense)
        self._folder, self._arrays, self._records = folder, arrays, records
        self._detection, self._clip = detection, clip

    def __len__(self) -> int:
        return len(self._sizes)

    def __getitem__(self, index: int) -> Sample:
        """Reads an image with all that belongs to it."""
        self.check_index(index)
        name = self.name(index)
        mask = target = None
        if "mask" in self._records:
            mask = _decode_labels(self._records["mask"].read(index), name)
        if "target" in self._records:
            target = decode_image(self._records["target"].read(index), name)
        objects = self._detection.objects(index) if self._detection else None
        proposals = self.annotation(index).proposals
        image, label = self.image(index)[0], self.label(index)
        return Sample(image, index, objects, label, mask, target, proposals)

    def annotation(self, index: int) -> Annotation:
        """Returns what is known of an image without its pixels."""
        objects = self._detection.annotation(index).objects if self._detection else None
        proposals = None
        if "proposals" in self._arrays:
            start, end = self._arrays["proposal_offsets"][index : index + 2]
            proposals = self._arrays["proposals"][start:end]
        return Annotation(*self.size(index), objects, proposals)

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Reads an image, at a fraction of its size if that is faster."""
        if self._clip:
            image, _ = super().image(index)
            return image.reshape(-1, *self.size(index), 3), 1
        return super().image(index, max_reduction)

    def known_objects(self, index: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Returns the classes and crowd flags of an image's objects; reads no file."""
        return self._detection.known_objects(index) if self._detection else None

    def describe(self, max_objects: int | None = None) -> str:
        """Reports what was packed."""
        if self.labels is not None:
            return describe_labels(self._folder, self.labels, self.classes)
        if self._detection is not None:
            return self._detection.describe(max_objects)
        return f"{self._folder}: {len(self):,} images"


def encode_labels(mask: np.ndarray) -> bytes:
    """Encodes a label map [H, W] uint8 or int32 as PNG."""
    if mask.dtype == np.int32:
        mask = np.ascontiguousarray(mask).view(np.uint8).reshape(*mask.shape, 4)
    return cv2.imencode(".png", mask)[1].tobytes()


def _decode_labels(data: bytes, name: str) -> np.ndarray:
    with opened(data, f"{name}: its label map", code="unreadable-mask"):
        mask = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if mask is None or mask.dtype != np.uint8 or mask.shape[2:] not in ((), (4,)):
        raise DataError(f"{name}: its label map is damaged; pack the dataset again")
    return mask if mask.ndim == 2 else mask.view(np.int32)[..., 0]


def describe(contents: Contents, counts: dict[str, Any], options: dict[str, Any]) -> str:
    """Writes `dataset.json`: `contents`, which is read again, and the others for people."""
    content = {"format": FORMAT, "version": VERSION, "classes": contents.classes}
    content |= {"counts": counts, "options": options, "clip": contents.clip}
    content["files"] = {
        kind: [file._asdict() for file in files] for kind, files in contents.files.items()
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def is_packed(folder: str) -> bool:
    """Says whether a folder is a packed split, whole or damaged, of any version."""
    try:
        return bool(_description(folder))
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def _description(folder: str) -> dict[str, Any]:
    path = os.path.join(folder, DESCRIPTION)
    content = json.loads(read_text(path, "description of the packed split"))
    if not str(content["format"]).startswith("jaxvision packed"):
        raise KeyError("format")
    return content


def _contents(folder: str) -> Contents:
    path = os.path.join(folder, DESCRIPTION)
    try:
        content = _description(folder)
        version = content["version"]
        if version == VERSION:
            files = {
                kind: [_record_file(entry) for entry in entries]
                for kind, entries in content["files"].items()
            }
            if "image" not in files:
                raise KeyError("image")
            classes = content["classes"]
            classes = None if classes is None else tuple(map(str, classes))
            return Contents(classes, files, bool(content["clip"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise damaged(path, f"not the description of a packed split ({error})") from error
    raise DataError(
        f"{path}: packed in version {version} of the format, expected {VERSION}; pack the dataset "
        "again with this jaxvision, or use the one that packed it"
    )


def _record_file(entry: dict[str, Any]) -> RecordFile:
    file = RecordFile(**entry)
    if os.path.basename(file.name) != file.name or not file.name:
        raise ValueError(f"{shown(file.name)} is no file of the packed split")
    if not all(isinstance(number, int) and 0 <= number < 1 << 48 for number in file[1:]):
        raise ValueError(f"{file.name} has no size")
    return file
