"""Encoded pictures to RGB arrays."""

import io

import cv2
import numpy as np
from PIL import Image

from jaxvision.data.errors import DataError

# First and last bytes of the formats whose end is marked. A picture that stops early lacks its
# mark.
_ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89PNG": b"IEND\xaeB`\x82"}


def decode_image(data: bytes, name: str) -> np.ndarray:
    """Decodes a picture to RGB.

    EXIF rotation is applied, as by the reference (`cv2.imread`) and as a person sees the picture,
    so annotations have to be made on the rotated picture. Greyscale is repeated in three channels,
    an alpha channel is dropped without blending, 16 bits are cut to their upper 8, palettes are
    resolved.

    Args:
        data: The content of a file, in any format that OpenCV reads.
        name: What to call it in messages: the path.

    Returns:
        Image [H, W, 3] uint8.

    Raises:
        DataError: If the picture is empty, of no known format, or truncated.
    """
    image = None
    if data:
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
        except cv2.error as error:
            raise DataError(f"{name}: OpenCV cannot read this image: {error}") from error
    if image is None:
        raise DataError(
            f"{name}: not a readable image ({len(data):,} bytes): it is truncated, empty or of "
            "another format. Replace the file, or take it out of the split."
        )
    # OpenCV 5 refuses truncated files, OpenCV 4 fills the missing part of a JPEG with grey. The
    # mark at the end costs nothing to look at; files that have more bytes behind it get the slow,
    # sure answer.
    for start, end in _ENDS.items():
        if data.startswith(start) and not data.endswith(end):
            try:
                Image.open(io.BytesIO(data)).load()
            except (OSError, SyntaxError) as error:
                raise DataError(
                    f"{name}: the image is truncated ({len(data):,} bytes, {error}). Replace the "
                    "file, or take it out of the split."
                ) from error
    return image


def read_image(path: str) -> np.ndarray:
    """Reads a file as `decode_image` does.

    Args:
        path: The file.

    Returns:
        Image [H, W, 3] uint8.

    Raises:
        DataError: If the file is missing, unreadable or damaged.
    """
    return decode_image(read_bytes(path), path)


def read_bytes(path: str, purpose: str = "image") -> bytes:
    """Reads a file whole.

    Args:
        path: The file.
        purpose: What it is, for the message.

    Raises:
        DataError: If the file is missing or unreadable.
    """
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise DataError(f"{path}: cannot read the {purpose}: {error.strerror}") from error
