"""Reads every image of a split once, by threads, as training reads it."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np
from PIL import ExifTags

from jaxvision.check.findings import Example, Finding, found
from jaxvision.data.allocator import keep_freed_memory
from jaxvision.data.errors import DataError, OnFault
from jaxvision.data.picture import opened
from jaxvision.data.sources.encoded import Encoded
from jaxvision.data.sources.files import DetectionFiles

# Images submitted at once, for each worker: few are idle, and few results wait in memory.
_CHUNK = 32
_DIGEST_BYTES = 16
_GREY_MODES = ("1", "L", "LA", "La", "I", "F")
_ALPHA_MODES = ("RGBA", "RGBa", "LA", "La", "PA")
# TIFF's tag for the bits of each channel.
_BITS_PER_SAMPLE = 258


class Header(NamedTuple):
    """What the header of an image file says.

    Attributes:
        rotated: It has an EXIF orientation other than upright.
        grey: It has no colours.
        alpha: It has an alpha channel.
        deep: Its channels have more than 8 bits.
    """

    rotated: bool = False
    grey: bool = False
    alpha: bool = False
    deep: bool = False


class ImageFacts(NamedTuple):
    """What was found in the I images of a split.

    Attributes:
        sizes: Width and height in pixels, as training sees it; zeros if unreadable [I, 2] int32.
        digests: Hashes of the files' contents; zeros if unreadable [I, 16] uint8.
        headers: `Header` in columns [I, 4] bool.
    """

    sizes: np.ndarray
    digests: np.ndarray
    headers: np.ndarray

    @property
    def readable(self) -> np.ndarray:
        """Whether training can read each image [I] bool."""
        return self.sizes[:, 0] > 0


def read_images(
    source: Encoded,
    *,
    workers: int,
    on_fault: OnFault,
    advance: Callable[[int], None] = lambda count: None,
) -> ImageFacts:
    """Reads all images.

    Args:
        source: The split.
        workers: Threads, at least 1.
        on_fault: Called with the error of each image that cannot be read, in their order.
        advance: Called with the number of images read since the last call.
    """
    total = len(source)
    facts = ImageFacts(
        np.zeros((total, 2), np.int32),
        np.zeros((total, _DIGEST_BYTES), np.uint8),
        np.zeros((total, len(Header._fields)), bool),
    )

    def read(index: int) -> DataError | None:
        try:
            data = source.encoded(index)
            digest = hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()
            facts.digests[index] = np.frombuffer(digest, np.uint8)
            image, _ = source.decode(index, data)
        except DataError as fault:
            return fault
        facts.sizes[index] = image.shape[1], image.shape[0]
        facts.headers[index] = read_header(data)
        return None

    # As training does; the settings are the process's.
    cv2.setNumThreads(0)
    keep_freed_memory()
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, total, workers * _CHUNK):
            chunk = range(start, min(start + workers * _CHUNK, total))
            for fault in pool.map(read, chunk):
                if fault is not None:
                    on_fault(fault)
                advance(1)
    return facts


def read_header(data: bytes) -> Header:
    """Reads how a picture is stored; all False for formats that only OpenCV knows."""
    try:
        with opened(data, "") as picture:
            mode = picture.mode
            bits = getattr(picture, "tag_v2", {}).get(_BITS_PER_SAMPLE, 8)
            alpha = mode in _ALPHA_MODES or "transparency" in picture.info
            rotated = False
            # Pillow decodes a PNG to look for EXIF behind the pixels.
            if not data.startswith(b"\x89PNG") or b"eXIf" in data:
                rotated = picture.getexif().get(ExifTags.Base.Orientation, 1) in range(2, 9)
    except DataError:
        return Header()
    # Pillow shows a PNG of 3 x 16 bits as one of 3 x 8; its header has the bits after the sides.
    depth = data[24] if data.startswith(b"\x89PNG") else bits
    deep = bool(np.max(depth) > 8) or mode.startswith(("I", "F"))
    return Header(rotated, mode.partition(";")[0] in _GREY_MODES, alpha, deep)


def check_headers(split: str, source: DetectionFiles, facts: ImageFacts) -> list[Finding]:
    """Finds rotated, grey, transparent and deep images."""
    # Sizes that disagree have stopped an image from being read.
    rotation = "unchecked-rotation" if source.annotations.sizes is None else "exif-rotation"
    rotated = found(rotation, split, facts.headers[:, 0], _sized(source, facts))
    return rotated + check_storage(split, source, facts)


def check_storage(split: str, source: Encoded, facts: ImageFacts) -> list[Finding]:
    """Finds grey, transparent and deep images."""
    codes = ("greyscale", "alpha-channel", "sixteen-bit")
    return [
        finding
        for code, column in zip(codes, facts.headers.T[1:], strict=True)
        for finding in found(code, split, column, _sized(source, facts))
    ]


def _sized(source: Encoded, facts: ImageFacts) -> Callable[[int], Example]:
    def example(index: int) -> Example:
        width, height = facts.sizes[index]
        return Example(source.name(index), f"{width} x {height} pixels")

    return example
