"""Writes a detection dataset into few large files, to be read by `sources/packed.py`."""

import collections
import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter

import jaxvision
from jaxvision.data.example import DetectionExample, DetectionSource, stored
from jaxvision.data.image import encode_image
from jaxvision.data.sources.packed import (
    ANNOTATIONS,
    ARRAYS,
    DESCRIPTION,
    ImageFile,
    describe,
    is_packed,
)

# One image a group, or reading one would read its neighbours; pictures do not compress further.
_WRITER_OPTIONS = "group_size:1,uncompressed"


@dataclasses.dataclass(frozen=True)
class Packed:
    """What was written.

    Attributes:
        images: How many.
        shrunk: How many of them were larger than `max_side`.
        objects: Boxes, crowds included.
        bytes: Size of the image files.
    """

    images: int
    shrunk: int
    objects: int
    bytes: int


def pack(
    source: DetectionSource,
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

    It grows as `.<name>.<process>.partial` beside its place, which only a killed process leaves.

    Every image is decoded once, so a damaged one is found now and not in the middle of a training.
    Images go into the files exactly as they are stored, those that are not stored as PNG.

    Args:
        source: What to pack. The boxes are stored as it gives them, mended and in pixels.
        folder: The folder to make.
        max_side: Shrinks larger images until their longer side has so many pixels, and encodes
            these as JPEG of quality 95, boxes and areas with them.
        overwrite: Replaces a packed split that is there already; never another folder.
        options: Where the dataset came from, for people who read `dataset.json`.
        num_workers: Threads that read and decode.
        progress: Told how many images are done.
        file_bytes: Begins another file when one has so many bytes.

    Returns:
        What was written.

    Raises:
        DataError: If an image cannot be read.
        ValueError: If the folder exists and is not to be overwritten, or `max_side` is not
            positive.
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
        written = _write(
            source, partial, max_side, dict(options or {}), num_workers, progress, file_bytes
        )
        _put(partial, folder, overwrite)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return written


def _check_free(folder: str, overwrite: bool) -> None:
    if not os.path.lexists(folder):
        return
    if not is_packed(folder):
        raise ValueError(f"{folder} exists and is no packed split; name another folder")
    if not overwrite:
        raise ValueError(f"{folder} exists; pass --overwrite to replace it, or name another folder")


def _put(partial: str, folder: str, overwrite: bool) -> None:
    """Renames the finished folder, in place of another one if there is one."""
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
    """What is stored of one image."""

    data: bytes
    name: bytes
    size: tuple[int, int]
    objects: DetectionExample
    shrunk: bool


def _write(
    source: DetectionSource,
    folder: str,
    max_side: int | None,
    options: dict[str, object],
    num_workers: int,
    progress: Callable[[int], None],
    file_bytes: int,
) -> Packed:
    """Writes all files into a folder."""
    # Rows as bytes: of millions of objects, small arrays would take ten times the memory.
    columns = {name: bytearray() for name in ("boxes", "classes", "crowd", "area")}
    names: list[bytes] = []
    sizes: list[tuple[int, int]] = []
    counts = [0]
    shrunk = 0
    with _ImageFiles(folder, file_bytes) as files:
        for record in _records(source, max_side, num_workers):
            files.write(record.data)
            names.append(record.name)
            sizes.append(record.size)
            counts.append(len(record.objects.boxes))
            shrunk += record.shrunk
            for name, column in columns.items():
                dtype = np.dtype(ARRAYS[name][0])
                column += getattr(record.objects, name).astype(dtype, casting="equiv").tobytes()
            progress(len(names))
    boxes, classes, crowd, area = (
        np.frombuffer(column, ARRAYS[name][0]) for name, column in columns.items()
    )
    np.savez(
        os.path.join(folder, ANNOTATIONS),
        names=np.array(names, np.bytes_),
        sizes=np.array(sizes, np.int32),
        offsets=np.cumsum(counts, dtype=np.int64),
        boxes=boxes.reshape(-1, 4),
        classes=classes,
        crowd=crowd,
        area=area,
    )
    objects = np.bincount(classes[~crowd], minlength=len(source.classes))
    summary = {
        "images": len(names),
        "shrunk_images": shrunk,
        "objects": dict(zip(source.classes, objects.tolist(), strict=True)),
        "crowds": int(crowd.sum()),
    }
    options |= {"max_side": max_side, "jaxvision": jaxvision.__version__}
    # Last: a folder without it is none.
    with open(os.path.join(folder, DESCRIPTION), "w", encoding="utf-8") as file:
        file.write(describe(source.classes, files.written, summary, options))
    size = sum(file.bytes for file in files.written)
    return Packed(len(names), shrunk, len(classes), size)


def _records(source: DetectionSource, max_side: int | None, num_workers: int) -> Iterator[_Record]:
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


def _record(source: DetectionSource, index: int, max_side: int | None) -> _Record:
    example = source[index]
    name = os.fsencode(source.name(index))
    height, width = example.image.shape[:2]
    if max_side is None or max(height, width) <= max_side:
        return _Record(stored(source, index), name, (width, height), example, False)
    ratio = max_side / max(height, width)
    size = max(round(width * ratio), 1), max(round(height * ratio), 1)
    image = cv2.resize(example.image, size, interpolation=cv2.INTER_AREA)
    scale = np.array([size[0] / width, size[1] / height] * 2, np.float32)
    shrunk = example._replace(
        # Rounding may put an edge behind the last pixel.
        boxes=np.minimum(example.boxes * scale, np.array([*size, *size], np.float32)),
        area=example.area * (scale[0] * scale[1]),
    )
    return _Record(encode_image(image, ".jpg"), name, size, shrunk, True)


class _ImageFiles:
    """Writes images into array_record files of a limited size.

    Attributes:
        written: The files that are complete.
    """

    def __init__(self, folder: str, file_bytes: int) -> None:
        self.written: list[ImageFile] = []
        self._folder = folder
        self._limit = file_bytes
        self._writer: ArrayRecordWriter | None = None
        self._records = self._bytes = 0

    def __enter__(self) -> "_ImageFiles":
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self._finish()

    def write(self, data: bytes) -> None:
        """Adds an image."""
        if self._writer is not None and self._bytes + len(data) > self._limit:
            self._finish()
        try:
            writer = self._writer or ArrayRecordWriter(self._path(), _WRITER_OPTIONS)
            self._writer = writer
            writer.write(data)
        except RuntimeError as error:
            raise OSError(f"{self._path()}: {error}") from error
        self._records += 1
        self._bytes += len(data)

    def _path(self) -> str:
        return os.path.join(self._folder, f"images-{len(self.written):05}.array_record")

    def _finish(self) -> None:
        """Closes a file and sees that it is whole."""
        if self._writer is None:
            return
        path = self._path()
        try:
            self._writer.close()
        except RuntimeError as error:
            raise OSError(f"{path}: {error}") from error
        if ArrayRecordReader(path).num_records() != self._records:
            raise OSError(f"{path}: not all images were written; is the disk full?")
        self.written.append(ImageFile(os.path.basename(path), self._records, os.path.getsize(path)))
        self._writer = None
        self._records = self._bytes = 0
