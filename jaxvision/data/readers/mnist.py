"""MNIST (LeCun et al. 1998) and Fashion-MNIST, which are stored as IDX files.

http://yann.lecun.com/exdb/mnist/: a magic number, the sizes of the axes as big-endian int32, then
the bytes. The files may be compressed by gzip.
"""

import gzip
import io
import os
import struct
import zlib

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.image import read_bytes
from jaxvision.data.sources.labelled import LabelledArrays, check_same_classes

MNIST_CLASSES = tuple("0123456789")
# Zalando's names (https://github.com/zalandoresearch/fashion-mnist), in their order.
FASHION_MNIST_CLASSES = ("T-shirt_top", "Trouser", "Pullover", "Dress", "Coat")
FASHION_MNIST_CLASSES += ("Sandal", "Shirt", "Sneaker", "Bag", "Ankle_boot")
# Bytes of a file, at most; those of MNIST have 47 million.
_LARGEST = 1 << 28
_SPLITS = {"train": "train", "test": "t10k"}


def mnist(path: str, split: str, *, classes: tuple[str, ...] | None = None) -> LabelledArrays:
    """Opens a split of MNIST; all of it is read, 47 MB at most.

    Args:
        path: Folder of `train-images-idx3-ubyte`, with or without `.gz`, and the other three.
        split: `train` or `test`.
        classes: The classes in order; `0` to `9` and no others.
    """
    return _open("mnist", path, split, MNIST_CLASSES, classes)


def fashion_mnist(
    path: str, split: str, *, classes: tuple[str, ...] | None = None
) -> LabelledArrays:
    """Opens a split of Fashion-MNIST (Xiao et al. 2017), stored and opened as MNIST is."""
    return _open("fashion_mnist", path, split, FASHION_MNIST_CLASSES, classes)


def _open(
    kind: str, path: str, split: str, own: tuple[str, ...], classes: tuple[str, ...] | None
) -> LabelledArrays:
    if split not in _SPLITS:
        raise DataError(f"{kind}: the splits are train and test, got {split!r}")
    check_same_classes(kind, own, classes)
    pixels = _read_idx(path, f"{_SPLITS[split]}-images", 3)
    labels = _read_idx(path, f"{_SPLITS[split]}-labels", 1)
    return LabelledArrays(
        os.path.join(path, f"{kind} {split}"), own, labels.astype(np.int32), pixels[..., None]
    )


def _read_idx(folder: str, stem: str, axes: int) -> np.ndarray:
    """Reads the file of that name, with any of the usual suffixes, as an array uint8."""
    names = [f"{stem}{mark}idx{axes}-ubyte{end}" for mark in "-." for end in ("", ".gz")]
    paths = filter(os.path.isfile, (os.path.join(folder, name) for name in names))
    path = next(paths, None)
    if path is None:
        raise DataError(f"{folder}: there is no file {names[0]} or {names[1]}; check data.path")
    content = read_bytes(path, "IDX file")
    if path.endswith(".gz"):
        try:
            with gzip.open(io.BytesIO(content)) as stream:
                content = stream.read(_LARGEST + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                f"{path}: not a whole gzip file: {error}. Download it again."
            ) from error
    start = 4 + 4 * axes
    # Two zeros, 8 for unsigned bytes, the number of axes.
    if len(content) < start or content[:4] != bytes([0, 0, 8, axes]):
        raise DataError(
            f"{path}: expected an IDX file of bytes with {axes} axes, which begins with "
            f"{bytes([0, 0, 8, axes]).hex(' ')}, got {content[:4].hex(' ')}"
        )
    shape = struct.unpack(f">{axes}i", content[4:start])
    if min(shape) < 1:
        raise DataError(
            f"{path}: expected positive sizes in the header, got {' x '.join(map(str, shape))}"
        )
    array = np.frombuffer(content, np.uint8, offset=start)
    if array.size != np.prod(shape, dtype=np.int64):
        raise DataError(
            f"{path}: expected {' x '.join(map(str, shape))} bytes after the header, got "
            f"{array.size:,}; the file is cut off. Download it again."
        )
    return array.reshape(shape)
