import io

import cv2
import numpy as np
import pytest
from PIL import Image

from jaxvision.data.errors import DataError
from jaxvision.data.image import decode_image, read_image
from jaxvision.data.readers.checks import IMAGE_SUFFIXES


def _encode(array: np.ndarray, kind: str, **options) -> bytes:
    data = io.BytesIO()
    Image.fromarray(array).save(data, kind, **options)
    return data.getvalue()


COLOR = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)


def test_channels_are_rgb():
    np.testing.assert_array_equal(decode_image(_encode(COLOR, "PNG"), "a.png"), COLOR)


def test_greyscale_is_repeated():
    image = decode_image(_encode(COLOR[..., 0], "PNG"), "a.png")
    np.testing.assert_array_equal(image, np.repeat(COLOR[..., :1], 3, axis=2))


def test_alpha_is_dropped():
    rgba = np.concatenate([COLOR, np.zeros((24, 32, 1), np.uint8)], axis=2)
    np.testing.assert_array_equal(decode_image(_encode(rgba, "PNG"), "a.png"), COLOR)


def test_16_bits_are_cut_to_the_upper_8():
    deep = np.arange(256, dtype=np.uint16).reshape(16, 16) * 256 + 200
    image = decode_image(cv2.imencode(".png", deep)[1].tobytes(), "a.png")
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image[..., 1], deep // 256)


def test_exif_rotation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode_image(_encode(COLOR, "JPEG", exif=exif), "a.jpg").shape == (32, 24, 3)


@pytest.mark.parametrize("part", [0.02, 0.5, 0.9, 0.999])
@pytest.mark.parametrize(("kind", "options"), [("JPEG", {}), ("JPEG", {"progressive": True})])
def test_truncated_jpeg_is_an_error(kind, options, part):
    data = _encode(cv2.resize(COLOR, (320, 240)), kind, quality=95, **options)
    with pytest.raises(DataError, match="truncated") as error:
        decode_image(data[: int(len(data) * part)], "dir/a.jpg")
    assert str(error.value).startswith("dir/a.jpg: ")


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_truncation_is_found_where_opencv_returns_a_partial_picture(monkeypatch, kind):
    # OpenCV 4 decodes what is there and leaves the rest grey.
    monkeypatch.setattr(cv2, "imdecode", lambda data, flags: COLOR)
    data = _encode(COLOR, kind)
    with pytest.raises(DataError, match="truncated"):
        decode_image(data[: len(data) * 2 // 3], "a.jpg")
    assert decode_image(data, "a.jpg") is COLOR


def test_bytes_behind_the_picture_are_no_fault():
    decode_image(_encode(COLOR, "JPEG") + b"\0\0trailer", "a.jpg")


@pytest.mark.parametrize("data", [b"", b"no image", b"\xff\xd8"])
def test_what_is_no_image_is_an_error(data):
    with pytest.raises(DataError, match=r"a\.jpg: not a readable image"):
        decode_image(data, "a.jpg")


def test_missing_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match="cannot read the image") as error:
        read_image(str(tmp_path / "gone.jpg"))
    assert "gone.jpg" in str(error.value)


@pytest.mark.parametrize("suffix", ["gif", "avif"])
def test_first_picture_of_a_gif_and_an_avif(tmp_path, monkeypatch, suffix):
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:10, :, 0] = 255
    frames = [Image.fromarray(pixels), Image.fromarray(255 - pixels)]
    file = tmp_path / f"a.{suffix}"
    frames[0].save(file, save_all=True, append_images=frames[1:])
    assert f".{suffix}" in IMAGE_SUFFIXES
    by_opencv = read_image(str(file))
    # A build of OpenCV without the format.
    monkeypatch.setattr(cv2, "imdecode", lambda *_: None)
    for found in (by_opencv, read_image(str(file))):
        assert found.shape == (20, 30, 3) and found.dtype == np.uint8
        # Away from the edge, which AVIF softens.
        np.testing.assert_allclose(found[[2, 17]].astype(int), pixels[[2, 17]], atol=12)
    with pytest.raises(DataError, match="not a readable image"):
        decode_image(b"GIF89a", "b.gif")
