"""From files, arrays and folders to batches of prepared images."""

import concurrent.futures
import itertools
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.image import read_image
from jaxvision.data.readers.checks import IMAGE_SUFFIXES
from jaxvision.data.rows import Row
from jaxvision.inference.views import View

# A file, or RGB [H, W, 3] uint8.
Image = str | os.PathLike[str] | np.ndarray
# Maps RGB [H, W, 3] uint8 to views, and inputs [h, w, 3] uint8; other sequences than lists make the
# inputs when they are asked for.
Prepare = Callable[[np.ndarray], Sequence[tuple[View, np.ndarray]]]
# Called with an image that cannot be read and why; if it returns, the image is left out.
OnFault = Callable[[Image, DataError], None]

# Threads that read files.
_READERS = 4
# A batch has 1, 4, 16, ... rows, or the largest number: few programs to compile, and at most three
# of four rows are padding.
_GROWTH = 4


class Part(NamedTuple):
    """An image, or a part of one, that was prepared.

    Attributes:
        number: Place of the image among the inputs.
        image: The input: a file or an array.
        size: Its height and width in pixels.
        view: What the network's input shows of it.
        views: How many there are of this image.
    """

    number: int
    image: Image
    size: tuple[int, int]
    view: View
    views: int


def stop(image: Image, fault: DataError) -> None:
    """Raises the error of an image that cannot be read."""
    raise fault


def listed(inputs: Image | Iterable[Image]) -> tuple[list[Image], bool]:
    """Lists the images of an input.

    Args:
        inputs: A file, an array, several of them, or a folder, whose images are listed with those
            of its subfolders, sorted by path.

    Returns:
        The images, and whether the input is a single one.

    Raises:
        ValueError: If a folder holds no image.
    """
    if isinstance(inputs, np.ndarray) and inputs.ndim == 4:
        return list(inputs), False
    if not isinstance(inputs, (str, os.PathLike, np.ndarray)):
        return list(inputs), False
    if isinstance(inputs, np.ndarray) or not os.path.isdir(inputs):
        return [inputs], True
    found = sorted(
        path for path in pathlib.Path(inputs).rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES
    )
    if not found:
        raise ValueError(f"{inputs} holds no image ({', '.join(IMAGE_SUFFIXES)})")
    return list(found), False


def pixels(image: Image) -> np.ndarray:
    """Returns the pixels of an image, RGB [H, W, 3] uint8.

    Raises:
        DataError: If the file is missing or is not an image.
        ValueError: If the array is not an RGB image.
    """
    if not isinstance(image, np.ndarray):
        return read_image(os.fspath(image))
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(
            f"image must be RGB [H, W, 3] uint8, got {list(image.shape)} {image.dtype}"
        )
    return image


def path_of(image: Image) -> str | None:
    """Returns the path of a file, None for an array."""
    return None if isinstance(image, np.ndarray) else os.fspath(image)


def batch_rows(count: int | None, batch_size: int) -> int:
    """Returns the rows of the batches for `count` inputs, None if that is not known."""
    rows = 1
    while rows < batch_size and (count is None or rows < count):
        rows = min(rows * _GROWTH, batch_size)
    return rows


def image_batches(
    images: Iterable[Image],
    prepare: Prepare,
    rows: int,
    on_fault: Callable[[int, Image, DataError], None],
    row: Callable[[np.ndarray], Row],
    read: Callable[[Image], np.ndarray] = pixels,
) -> Iterator[tuple[list[Part], dict[str, np.ndarray]]]:
    """Reads and prepares images, batch by batch.

    Args:
        images: Files and arrays.
        prepare: Makes the inputs for an image; those of one shape share batches.
        rows: Of each batch.
        on_fault: Called with place, image and error of a file that is missing or is not an image.
        row: Makes the arrays of a batch's row of an input.
        read: Returns the pixels of an image.

    Yields:
        What a batch shows, and its arrays: those of the rows and `mask` [B] bool, False for
        padding.

    Raises:
        ValueError: If an array is not an RGB image.
    """

    def prepared(
        numbered: tuple[int, Image],
    ) -> tuple[int, Image, DataError | Iterable[tuple[Part, Row]]]:
        number, image = numbered
        try:
            array = read(image)
        except DataError as fault:
            return number, image, fault
        size = array.shape[-3], array.shape[-2]
        views = prepare(array)
        parts = ((Part(number, image, size, view, len(views)), row(shown)) for view, shown in views)
        return number, image, list(parts) if isinstance(views, list) else parts

    waiting: dict[tuple[int, ...], list[tuple[Part, Row]]] = {}
    with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
        for chunk in _chunks(enumerate(images), rows):
            for number, image, found in readers.map(prepared, chunk):
                if isinstance(found, DataError):
                    on_fault(number, image, found)
                    continue
                for one in found:
                    shape = one[1]["image"].shape
                    group = waiting.setdefault(shape, [])
                    group.append(one)
                    if len(group) == rows:
                        yield _batch(waiting.pop(shape), rows)
    for group in waiting.values():
        yield _batch(group, rows)


def _chunks(items: Iterable[tuple[int, Image]], size: int) -> Iterator[list[tuple[int, Image]]]:
    items = iter(items)
    while chunk := list(itertools.islice(items, size)):
        yield chunk


def _batch(
    group: Sequence[tuple[Part, Row]], rows: int
) -> tuple[list[Part], dict[str, np.ndarray]]:
    parts, found = zip(*group, strict=True)
    batch = {}
    for name, array in found[0].items():
        batch[name] = np.zeros((rows, *array.shape), array.dtype)
        batch[name][: len(found)] = [each[name] for each in found]
    return list(parts), {**batch, "mask": np.arange(rows) < len(found)}
