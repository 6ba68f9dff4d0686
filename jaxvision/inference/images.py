"""From files, arrays and folders to batches of prepared images."""

import concurrent.futures
import itertools
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from jaxvision.data.image import read_image
from jaxvision.data.readers.checks import IMAGE_SUFFIXES
from jaxvision.data.sample import Sample

# A file, or RGB [H, W, 3] uint8.
Image = str | os.PathLike[str] | np.ndarray
Transform = Callable[[Sample, np.random.Generator], Sample]

# Threads that read files.
_READERS = 4
# A batch has 1, 4, 16, ... rows, or the largest number: few programs to compile, and at most three
# of four rows are padding.
_GROWTH = 4


class Original(NamedTuple):
    """An image that was prepared.

    Attributes:
        number: Its place among the inputs.
        image: The input: a file or an array.
        size: Its height and width in pixels.
        scale: Pixels of the network's input per pixel of the image.
    """

    number: int
    image: Image
    size: tuple[int, int]
    scale: float


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


def image_batches(
    images: Sequence[Image], transform: Transform, batch_size: int
) -> Iterator[tuple[list[Original], dict[str, np.ndarray]]]:
    """Reads and prepares images, batch by batch.

    Args:
        images: Files and arrays.
        transform: Prepares an image as evaluation does; results of one shape share batches.
        batch_size: Rows of a batch, at most.

    Yields:
        The images of a batch, and its arrays `image` [B, H, W, 3] uint8 and `mask` [B] bool, False
        for padding.

    Raises:
        DataError: If a file is missing or is not an image.
        ValueError: If an array is not an RGB image.
    """
    rows = 1
    while rows < min(len(images), batch_size):
        rows = min(rows * _GROWTH, batch_size)

    def prepared(numbered: tuple[int, Image]) -> tuple[Original, np.ndarray]:
        number, image = numbered
        sample = Sample(pixels(image), number)
        size = sample.size
        # Evaluation draws nothing; the generator only completes the signature.
        sample = transform(sample, np.random.default_rng(0))
        return Original(number, image, size, sample.scale), sample.image

    waiting: dict[tuple[int, ...], list[tuple[Original, np.ndarray]]] = {}
    with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
        for chunk in _chunks(enumerate(images), rows):
            for one in readers.map(prepared, chunk):
                group = waiting.setdefault(one[1].shape, [])
                group.append(one)
                if len(group) == rows:
                    yield _batch(waiting.pop(one[1].shape), rows)
    for group in waiting.values():
        yield _batch(group, rows)


def _chunks(items: Iterable[tuple[int, Image]], size: int) -> Iterator[list[tuple[int, Image]]]:
    items = iter(items)
    while chunk := list(itertools.islice(items, size)):
        yield chunk


def _batch(
    group: Sequence[tuple[Original, np.ndarray]], rows: int
) -> tuple[list[Original], dict[str, np.ndarray]]:
    originals, images = zip(*group, strict=True)
    batch = np.zeros((rows, *images[0].shape), np.uint8)
    batch[: len(images)] = images
    return list(originals), {"image": batch, "mask": np.arange(rows) < len(images)}
