"""Writes a dataset of any task into few large files, to be read by `sources/packed.py`."""

import collections
import dataclasses
import functools
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter

import jaxvision
from jaxvision.data import boxes as boxes_of
from jaxvision.data.annotations import offsets_from
from jaxvision.data.augment import geometry
from jaxvision.data.files import write_whole
from jaxvision.data.image import encode_image
from jaxvision.data.sample import Sample
from jaxvision.data.segmentations import Segmentations
from jaxvision.data.source import Source
from jaxvision.data.sources.packed import (
    DESCRIPTION,
    Contents,
    RecordFile,
    describe,
    encode_labels,
    is_packed,
)
from jaxvision.data.sources.packed_arrays import ARRAYS, ARRAYS_FILE, OBJECT_COLUMNS

# One record per group, or reading one would read its neighbours; pictures do not compress further.
_WRITER_OPTIONS = "group_size:1,uncompressed"


@dataclasses.dataclass(frozen=True)
class Packed:
    """What was written."""

    images: int
    shrunk: int  # of them, those larger than `max_side`
    objects: int  # crowds included
    bytes: int  # of the array_record files


def pack(
    source: Source,
    folder: str,
    *,
    max_side: int | None = None,
    overwrite: bool = False,
    options: Mapping[str, object] | None = None,
    num_workers: int = 1,
    progress: Callable[[int], None] = lambda done: None,
    file_bytes: int = 1 << 30,
) -> Packed:
    """Packs a dataset; the folder is there whole or not at all.

    Until then it is `.<name>.<process>.partial` beside it, which only a killed process leaves.
    Every image is decoded once, so a damaged one is found now and not in the middle of a training.
    Encoded images are copied; other images, label maps and targets become PNG, and instance masks
    run lengths.

    Args:
        source: What to pack. The boxes are stored as it gives them, repaired and in pixels.
        folder: The folder to make.
        max_side: Shrinks larger images until their longer side has this many pixels, and encodes
            these as JPEG of quality 95, with everything that belongs to them.
        overwrite: Replaces a packed split that is there already; never another folder.
        options: Where the dataset came from, for people who read `dataset.json`.
        num_workers: Threads that read and decode.
        progress: Called with the number of images that are done.
        file_bytes: Begins another file when one has this many bytes.

    Raises:
        DataError: If an image cannot be read.
        ValueError: If the folder exists and is not to be overwritten, `max_side` is not positive,
            or samples differ in what they carry or have something that cannot be packed.
        OSError: If writing fails.
    """
    if max_side is not None and max_side < 1:
        raise ValueError(f"max_side must be at least 1 pixel, got {max_side}")
    folder = os.path.abspath(folder)
    _check_free(folder, overwrite)
    parent, name = os.path.split(folder)
    # Beside the folder, so that it can be renamed.
    partial = os.path.join(parent, f".{name}.{os.getpid()}.partial")
    os.makedirs(partial)
    try:
        about = {**(options or {}), "max_side": max_side, "jaxvision": jaxvision.__version__}
        records = _records(source, max_side, num_workers)
        written = _write(partial, source.classes, records, about, progress, file_bytes)
        _put(partial, folder, overwrite)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return written


def _check_free(folder: str, overwrite: bool) -> None:
    if not os.path.lexists(folder):
        return
    if not is_packed(folder):
        raise ValueError(f"{folder} exists and is not a packed split; choose another folder")
    if not overwrite:
        raise ValueError(f"{folder} exists; pass --overwrite to replace it, or choose another one")


def _put(partial: str, folder: str, overwrite: bool) -> None:
    """Renames the finished folder, replacing an existing one."""
    _check_free(folder, overwrite)
    old = f"{partial}.old"
    if not os.path.exists(folder):
        os.rename(partial, folder)
        return
    os.rename(folder, old)
    try:
        os.rename(partial, folder)
    except BaseException:
        os.rename(old, folder)
        raise
    shutil.rmtree(old)


class _Record(NamedTuple):
    """What is stored of one example."""

    data: dict[str, bytes]  # the encoded image, and label map and target where there are
    name: bytes  # of the image
    sample: Sample
    shrunk: bool


class _Columns:
    """Gathers what is not stored as records.

    Rows are held as bytes: of millions of objects, small arrays would take ten times the memory.
    """

    def __init__(self) -> None:
        self._names: list[bytes] = []
        self._labels: list[np.ndarray] = []
        self._rows = {"sizes": bytearray()}
        self._masks = Segmentations()
        self._fields: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self._names)

    def add(self, record: _Record) -> None:
        """Adds an example, which must carry what the ones before do."""
        sample, objects = record.sample, record.sample.objects
        has = {
            "objects": objects,
            "instance masks": None if objects is None else objects.masks,
            "a label": sample.label,
            "a label map": sample.mask,
            "a target": sample.target,
            "proposals": sample.proposals,
        }
        fields = frozenset(name for name, value in has.items() if value is not None)
        if self._names and fields != self._fields:
            raise ValueError(
                f"{os.fsdecode(record.name)} has {', '.join(sorted(fields)) or 'nothing'}, the "
                f"examples before have {', '.join(sorted(self._fields)) or 'nothing'}; all must "
                "carry the same"
            )
        self._fields = fields
        self._names.append(record.name)
        self._put("sizes", np.array([sample.size[::-1]], np.int32))
        if objects is not None:
            self._put("offsets", np.array([len(objects)], np.int64))
            for name in OBJECT_COLUMNS:
                self._put(name, getattr(objects, name))
            for mask in [] if objects.masks is None else objects.masks:
                self._masks.append_mask(mask)
        if sample.label is not None:
            self._labels.append(sample.label)
        if sample.proposals is not None:
            self._put("proposal_offsets", np.array([len(sample.proposals)], np.int64))
            self._put("proposals", sample.proposals.astype(np.float32))

    def _put(self, name: str, rows: np.ndarray) -> None:
        column = self._rows.setdefault(name, bytearray())
        column += rows.astype(ARRAYS[name][0], casting="equiv").tobytes()

    def arrays(self) -> dict[str, Any]:
        """Returns the arrays by name."""
        arrays: dict[str, Any] = {"names": np.array(self._names, np.bytes_)}
        for name, rows in self._rows.items():
            dtype, shape = ARRAYS[name]
            arrays[name] = np.frombuffer(rows, dtype).reshape(-1, *shape)
            if name.endswith("offsets"):
                arrays[name] = offsets_from(arrays[name])
        if "instance masks" in self._fields:
            arrays["mask_data"], arrays["mask_ends"] = self._masks.arrays()
        if self._labels:
            arrays["labels"] = np.stack(self._labels)
        return arrays


def _write(
    folder: str,
    classes: tuple[str, ...],
    records: Iterable[_Record],
    options: dict[str, object],
    progress: Callable[[int], None],
    file_bytes: int,
) -> Packed:
    """Writes all files into a folder."""
    columns = _Columns()
    shrunk, clip = 0, False
    files: dict[str, _RecordFiles] = {}
    for record in records:
        columns.add(record)
        for kind, data in record.data.items():
            files.setdefault(kind, _RecordFiles(folder, kind, file_bytes)).write(data)
        shrunk += record.shrunk
        clip = record.sample.image.ndim == 4
        progress(len(columns))
    arrays = columns.arrays()
    np.savez(os.path.join(folder, ARRAYS_FILE), **arrays)
    counts: dict[str, object] = {"images": len(columns), "shrunk_images": shrunk}
    if "boxes" in arrays:
        labels, crowd = arrays["classes"], arrays["crowd"]
        objects = np.bincount(labels[~crowd], minlength=len(classes))
        counts["objects"] = dict(zip(classes, objects.tolist(), strict=True))
        counts["crowds"] = int(crowd.sum())
    written = {kind: each.finish() for kind, each in files.items()}
    # Last: a folder without this file is not a packed split.
    text = describe(Contents(classes or None, written, clip), counts, options)
    write_whole(Path(folder, DESCRIPTION), text)
    size = sum(each.bytes for group in written.values() for each in group)
    return Packed(len(columns), shrunk, len(arrays.get("boxes", ())), size)


def _records(source: Source, max_side: int | None, num_workers: int) -> Iterator[_Record]:
    """Yields the records in order, made by several threads a few images ahead."""
    pending: collections.deque[Future[_Record]] = collections.deque()
    pool = ThreadPoolExecutor(num_workers)
    try:
        for index in range(len(source)):
            pending.append(pool.submit(_record, source, index, max_side))
            if len(pending) > 2 * num_workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _record(source: Source, index: int, max_side: int | None) -> _Record:
    sample, name = source[index], source.name(index)
    shrunk = False
    if max_side is not None and max(sample.size) > max_side:
        shrunk = True
        sample = _shrunk(sample, max_side, name)
        data = {"image": encode_image(sample.image, ".jpg")}
    else:
        data = {"image": source.encoded(index)}
    if sample.mask is not None:
        data["mask"] = encode_labels(sample.mask)
    if sample.target is not None:
        if sample.target.dtype != np.uint8 or sample.target.shape[-1] != 3:
            raise ValueError(
                f"{name}: a target must be [s * H, s * W, 3] uint8 to be packed, got "
                f"{sample.target.shape} {sample.target.dtype}"
            )
        data["target"] = encode_image(sample.target, ".png")
    return _Record(data, os.fsencode(name), sample, shrunk)


def _shrunk(sample: Sample, max_side: int, name: str) -> Sample:
    """Shrinks a sample until its longer side has `max_side` pixels."""
    if sample.target is not None or sample.image.ndim == 4:
        raise ValueError(f"{name}: max_side is for images without target, and not for clips")
    height, width = sample.size
    ratio = max_side / max(height, width)
    size = max(round(height * ratio), 1), max(round(width * ratio), 1)
    by_area = functools.partial(cv2.resize, interpolation=cv2.INTER_AREA)
    result = geometry.resize(sample, size, lambda image, size: by_area(image, size[::-1]))
    if result.objects is None:
        return result
    # Rounding may put an edge behind the last pixel.
    boxes = boxes_of.clip(result.objects.boxes, size)
    scale = np.array([size[1] / width, size[0] / height], np.float32)
    area = result.objects.area * (scale[0] * scale[1])
    return result.replace(objects=dataclasses.replace(result.objects, boxes=boxes, area=area))


class _RecordFiles:
    """Writes records of one kind into array_record files of a limited size."""

    def __init__(self, folder: str, kind: str, file_bytes: int) -> None:
        self._folder, self._kind, self._limit = folder, kind, file_bytes
        self._written: list[RecordFile] = []
        self._writer: ArrayRecordWriter | None = None
        self._records = self._bytes = 0

    def write(self, data: bytes) -> None:
        """Adds a record."""
        if self._writer is not None and self._bytes + len(data) > self._limit:
            self.finish()
        try:
            writer = self._writer or ArrayRecordWriter(self._path(), _WRITER_OPTIONS)
            self._writer = writer
            writer.write(data)
        except RuntimeError as error:
            raise OSError(f"{self._path()}: {error}") from error
        self._records += 1
        self._bytes += len(data)

    def _path(self) -> str:
        return os.path.join(self._folder, f"{self._kind}-{len(self._written):05}.array_record")

    def finish(self) -> list[RecordFile]:
        """Closes the file and checks that it is whole; returns all of them."""
        if self._writer is None:
            return self._written
        path = self._path()
        try:
            self._writer.close()
        except RuntimeError as error:
            raise OSError(f"{path}: {error}") from error
        if ArrayRecordReader(path).num_records() != self._records:
            raise OSError(f"{path}: not all records were written; is the disk full?")
        size = os.path.getsize(path)
        self._written.append(RecordFile(os.path.basename(path), self._records, size))
        self._writer, self._records, self._bytes = None, 0, 0
        return self._written
