"""Encoded pictures, opened by Pillow: the one place for their limit of pixels and their errors.

Nothing is decoded before the header was read. Only formats of pictures are tried: Pillow would
otherwise start Ghostscript for a file that says that it is PostScript.
"""

import contextlib
import functools
import io
import os
import struct
from collections.abc import Iterator

from PIL import Image

from jaxvision.data.errors import DataError

# Not JPEG 2000: it is rare, and its decoders have had faults for years.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
# A quarter of a gibibyte as RGB, the number above which Pillow warns, too.
DEFAULT_MAX_PIXELS = (1 << 30) // 4 // 3
# OpenCV decodes no picture with a longer side.
MAX_SIDE = 1 << 20
# Of PNG: the beginning, the length and kind of a chunk, and the size of the checksum behind it.
_PNG, _CHUNK, _CHECKSUM = b"\x89PNG\r\n\x1a\n", struct.Struct(">I4s"), 4
LIMIT = "JAXVISION_MAX_PIXELS"


@functools.cache
def max_pixels() -> int:
    """Returns how many pixels a picture may have: `$JAXVISION_MAX_PIXELS`, or 89 million.

    Raises:
        ValueError: If the variable is no positive number.
    """
    given = os.environ.get(LIMIT)
    if not given:
        return DEFAULT_MAX_PIXELS
    if not given.isdecimal() or not int(given):
        raise ValueError(f"{LIMIT} must be a positive number of pixels, got {given}")
    # Pillow refuses twice its own limit.
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, int(given))
    return int(given)


def check_pixels(width: int, height: int, name: str) -> None:
    """Checks that a picture is not larger than `max_pixels`.

    Raises:
        DataError: If it is.
    """
    if width * height > max_pixels() or max(width, height) > MAX_SIDE:
        raise DataError(
            f"{name}: the image has {width} x {height} pixels (width x height), expected at most "
            f"{max_pixels():,} in all, and {MAX_SIDE:,} in a row or column. Make it smaller, or "
            f"set the environment variable {LIMIT} if the memory suffices",
            code="too-many-pixels",
        )


def _check_chunks(data: bytes) -> None:
    """Checks that the chunks of a PNG end within it: OpenCV takes memory for what they state."""
    place = len(_PNG)
    while place < len(data):
        if place + _CHUNK.size > len(data):
            return  # bytes behind the picture, or its end is missing
        length, kind = _CHUNK.unpack_from(data, place)
        place += _CHUNK.size + length + _CHECKSUM
        if place > len(data):
            raise ValueError(f"it ends within a chunk {kind!r} of {length:,} bytes")
        if kind == b"IEND":
            return


@contextlib.contextmanager
def opened(
    data: bytes, name: str, purpose: str = "image", code: str = "unreadable-image"
) -> Iterator[Image.Image]:
    """Opens a picture, of which the header alone is read before the block decodes it.

    Args:
        data: The content of a file.
        name: What to call it in messages: the path.
        purpose: What it is, for messages.
        code: Of the error.

    Yields:
        The picture, of at most `max_pixels`.

    Raises:
        DataError: If it has more pixels, or whatever Pillow raises, here or in the block.
    """
    max_pixels()  # before Pillow looks at its own limit
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            check_pixels(*picture.size, name)
            if picture.format == "PNG":
                _check_chunks(data)
            yield picture
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{name}: {error}", code="too-many-pixels") from error
    # Damaged files raise whatever the parsers of their formats happen to raise.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if "cannot identify" in reason:  # by the address of a buffer
            reason = f"none of {', '.join(FORMATS)}"
        raise DataError(
            f"{name}: not a readable {purpose} ({len(data):,} bytes): it is truncated, damaged, "
            f"empty or of another format ({reason}). Replace the file, or remove it from the "
            "split.",
            code=code,
        ) from error
