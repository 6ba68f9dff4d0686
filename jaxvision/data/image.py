"""Encoded pictures to RGB arrays."""

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageOps

from jaxvision.data.errors import DataError
from jaxvision.data.picture import opened

# First and last bytes of the formats that mark their end; a truncated file lacks the mark.
_ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89PNG": b"IEND\xaeB`\x82"}

# A JPEG file can be decoded at a fraction of its size in a fraction of the time. OpenCV has no
# constant for a reduced image in RGB order, but size and order are separate bits.
_REDUCED = {
    1: cv2.IMREAD_COLOR_RGB,
    2: cv2.IMREAD_COLOR_RGB | cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_COLOR_RGB | cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_COLOR_RGB | cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


def image_size(data: bytes, name: str) -> tuple[int, int]:
    """Reads height and width, after EXIF rotation, without decoding.

    Raises:
        DataError: If that fails, or the picture is larger than `picture.max_pixels`.
    """
    with opened(data, name) as picture:
        width, height = picture.size
        return (width, height) if _lies(picture, data) else (height, width)


def _lies(picture: Image.Image, data: bytes) -> bool:
    """Says whether EXIF exchanges the sides that Pillow states."""
    # Pillow has turned a TIFF already, and decodes a PNG to look for EXIF behind the pixels.
    if picture.format == "TIFF" or (picture.format == "PNG" and b"eXIf" not in data):
        return False
    try:
        return picture.getexif().get(ExifTags.Base.Orientation, 1) in range(5, 9)
    except Exception:  # damaged EXIF, which OpenCV passes over
        return False


def decode_image(data: bytes, name: str, reduction: int = 1) -> np.ndarray:
    """Decodes a picture to RGB.

    EXIF rotation is applied, as in the reference (`cv2.imread`) and in image viewers, so
    annotations must refer to the rotated picture. Greyscale is repeated in three channels, an alpha
    channel is dropped without blending, of 16 bits the upper 8 are kept, palettes are resolved.

    Args:
        data: The content of a file, in one of `picture.FORMATS`.
        name: What to call it in messages: the path.
        reduction: 1, or for JPEG also 2, 4 or 8; each pixel of the result is the mean of a square
            of this side.

    Returns:
        Image [ceil(H / reduction), ceil(W / reduction), 3] uint8.

    Raises:
        DataError: If the picture is empty, of no known format, truncated, or larger than
            `picture.max_pixels`; then no memory was taken for it.
    """
    truncated = _lacks_end(data)
    code = "truncated-image" if truncated else "unreadable-image"
    with opened(data, name, code=code) as picture:
        # Some builds of OpenCV lack these two formats, and none turns an AVIF. Of an animation, the
        # first picture.
        if picture.format in ("AVIF", "GIF"):
            return np.array(ImageOps.exif_transpose(picture).convert("RGB"))
        # OpenCV 5 rejects truncated files, OpenCV 4 fills the missing part of a JPEG with grey.
        # Looking for the end mark is cheap; only files without it at the very end are decoded by
        # Pillow, too.
        if truncated:
            _check_whole(picture, data, name)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _REDUCED[reduction])
    except cv2.error as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{name}: OpenCV cannot read this image: {reason}", code=code) from error
    if image is None:
        raise DataError(
            f"{name}: not a readable image ({len(data):,} bytes): it is truncated, or of another "
            "format. Replace the file, or remove it from the split.",
            code=code,
        )
    return image


def _check_whole(picture: Image.Image, data: bytes, name: str) -> None:
    try:
        picture.load()
    except Exception as error:
        raise DataError(
            f"{name}: the image is truncated ({len(data):,} bytes, {error}). Replace the "
            "file, or remove it from the split.",
            code="truncated-image",
        ) from error


def decode_reduced(data: bytes, name: str, max_reduction: int) -> tuple[np.ndarray, int]:
    """Returns a picture, JPEG at a fraction of its size, and the reduction; see `decode_image`."""
    reduction = max_reduction if data.startswith(b"\xff\xd8") else 1
    return decode_image(data, name, reduction), reduction


def _lacks_end(data: bytes) -> bool:
    return any(data.startswith(start) and not data.endswith(end) for start, end in _ENDS.items())


def encode_image(image: np.ndarray, suffix: str) -> bytes:
    """Encodes RGB [H, W, 3] uint8 as `.png`, without loss, or as `.jpg` of quality 95."""
    options = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix == ".jpg" else []
    return cv2.imencode(suffix, image[..., ::-1], options)[1].tobytes()


def read_image(path: str) -> np.ndarray:
    """Reads a file as `decode_image` does; DataError also if it is missing or unreadable."""
    return decode_image(read_bytes(path), path)


def read_bytes(path: str, purpose: str = "image", missing: str = "missing-image") -> bytes:
    """Reads a file whole; DataError if it is unreadable, of code `missing` if it is not there."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise DataError(
            f"{path}: cannot read the {purpose}: {error.strerror}",
            code=missing if isinstance(error, FileNotFoundError) else "",
        ) from error
    except ValueError as error:  # half a character, or a zero byte
        raise DataError(f"{path!r} cannot be the name of the {purpose}: {error}") from error
