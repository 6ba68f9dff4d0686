"""Damaged and oversized pictures end in one kind of error, before memory is taken."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from jaxvision.check.images import Header, read_header
from jaxvision.data import picture
from jaxvision.data.errors import DataError
from jaxvision.data.image import decode_image, image_size
from jaxvision.data.label_map import decode_label_map


def png(width, height, *chunks, content=b"x"):
    """A PNG whose pixels are no deflated stream."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", content), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


@pytest.fixture(autouse=True)
def _limit_anew():
    picture.max_pixels.cache_clear()
    yield
    picture.max_pixels.cache_clear()


@pytest.mark.parametrize("size", [(20_000, 20_000), (9_500, 9_500), (8, 2_000_000)])
@pytest.mark.parametrize("read", [image_size, decode_image, decode_label_map])
def test_too_many_pixels_are_refused_from_the_header(read, size, monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(DataError, match=r"^dir/a\.png: .*pixels") as error:
        read(png(*size), "dir/a.png")
    assert error.value.code == "too-many-pixels"
    assert read_header(png(*size)) == Header()


def test_limit_of_pixels_is_a_variable_of_the_environment(monkeypatch):
    data = cv2.imencode(".png", np.zeros((30, 40, 3), np.uint8))[1].tobytes()
    monkeypatch.setenv(picture.LIMIT, "1199")
    with pytest.raises(DataError, match=r"40 x 30 .*at most 1,199 .*JAXVISION_MAX_PIXELS"):
        decode_image(data, "a.png")
    picture.max_pixels.cache_clear()
    monkeypatch.setenv(picture.LIMIT, "1200")
    assert decode_image(data, "a.png").shape == (30, 40, 3)
    picture.max_pixels.cache_clear()
    monkeypatch.setenv(picture.LIMIT, "many")
    with pytest.raises(ValueError, match="positive number of pixels, got many"):
        decode_image(data, "a.png")


def test_a_larger_limit_is_also_pillows(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    monkeypatch.setenv(picture.LIMIT, "400000000")
    assert image_size(png(20_000, 20_000), "a.png") == (20_000, 20_000)


@pytest.mark.parametrize("read", [image_size, decode_image, decode_label_map])
def test_a_png_takes_no_memory_for_a_chunk_that_is_not_there(read, monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    whole = png(8, 8)
    at = whole.index(b"IDAT") - 4
    with pytest.raises(DataError, match=r"a\.png: .*ends within a chunk b'IDAT' of 2,147,483,647"):
        read(whole[:at] + b"\x7f\xff\xff\xff" + whole[at + 4 :], "a.png")


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_says_nothing_of_the_size():
    file = io.BytesIO()
    Image.new("RGB", (24, 16)).save(file, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    assert image_size(file.getvalue(), "a") == decode_image(file.getvalue(), "a").shape[:2]


def test_size_of_a_png_is_read_without_its_pixels():
    assert image_size(png(40, 30), "a.png") == (30, 40)


def damaged():
    """Files that made a decoder raise other than OSError and SyntaxError."""
    text = b"key\0\0" + zlib.compress(bytes(1 << 21))  # more than Pillow inflates of a text
    yield "zTXt", png(8, 8, (b"zTXt", text))
    yield "PPM", b"P6\n8 8\n99999999999999999999\n" + bytes(192)
    yield "PPM of letters", b"P3\n8 8\n255\n" + b"a b c " * 64
    yield "JP2", b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 \0\0\0\0jp2 \0\0\0\x05jp2h"
    yield "TIFF", b"II*\0\x08\0\0\0\x01\0\0\x01\x04\0\0\0\0\xf0\xff\xff\xff\x7f"
    yield "AVIF", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf\0\0\0\x08meta"
    yield "PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nquit\n"


@pytest.mark.parametrize("read", [image_size, decode_image, decode_label_map])
@pytest.mark.parametrize(("kind", "data"), list(damaged()))
def test_whatever_a_decoder_raises_names_the_file(read, kind, data):
    try:
        read(data, "dir/a.png")
    except DataError as error:
        assert str(error).startswith("dir/a.png: "), kind


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_size_is_that_of_the_decoded_picture(kind, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    file = io.BytesIO()
    Image.new("RGB", (24, 16)).save(file, kind, exif=exif)
    size = decode_image(file.getvalue(), "a").shape[:2]
    assert image_size(file.getvalue(), "a") == size == ((16, 24) if orientation < 5 else (24, 16))
