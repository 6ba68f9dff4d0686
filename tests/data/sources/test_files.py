import numpy as np
import pytest
from PIL import Image

from jaxvision.data.annotations import from_rows
from jaxvision.data.errors import DataError
from jaxvision.data.image import decode_image, image_size
from jaxvision.data.sources.files import DetectionFiles


def _files(root, name, sizes=None, box=(0.25, 0.5, 0.5, 1.0)):
    annotations = from_rows(str(root), [name], sizes, image=[0], boxes=[box], classes=[0])
    return DetectionFiles(annotations, ("a",))


def _rotated(root, name, width, height):
    exif = Image.Exif()
    exif[0x0112] = 6  # a person sees it turned by a quarter
    Image.new("RGB", (width, height), (200, 30, 30)).save(root / name, exif=exif)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_annotation_without_size_reads_the_header(write_image, tmp_path, name):
    write_image(name, 64, 48)
    source = _files(tmp_path, name)
    found = source.annotation(0)
    assert (found.height, found.width) == (48, 64)
    np.testing.assert_allclose(found.objects.boxes, [[16, 24, 32, 48]])
    np.testing.assert_allclose(source[0].objects.boxes, found.objects.boxes)
    # And once only.
    (tmp_path / name).unlink()
    assert source.annotation(0).width == 64


def test_annotation_with_size_does_not_touch_the_file(tmp_path):
    found = _files(tmp_path, "missing.jpg", [(64, 48)], (1, 2, 3, 4)).annotation(0)
    assert (found.height, found.width) == (48, 64)
    assert found.objects.boxes.tolist() == [[1, 2, 3, 4]] and found.objects.crowd.tolist() == [
        False
    ]


def test_header_is_read_as_a_person_sees_the_picture(tmp_path):
    _rotated(tmp_path, "a.jpg", 60, 20)
    found = _files(tmp_path, "a.jpg").annotation(0)
    assert (found.height, found.width) == (60, 20)
    assert _files(tmp_path, "a.jpg")[0].image.shape == (60, 20, 3)


@pytest.mark.parametrize("reduction", [2, 4, 8])
def test_jpeg_files_are_read_reduced(write_image, tmp_path, reduction):
    full = write_image("a.jpg", 67, 50)
    image, by = _files(tmp_path, "a.jpg", [(67, 50)], (0, 0, 9, 9)).image(0, reduction)
    assert by == reduction and image.shape == (-(-50 // by), -(-67 // by), 3)
    # Means of squares, in the order RGB.
    means = full[: 50 // by * by, : 67 // by * by]
    means = means.reshape(50 // by, by, 67 // by, by, 3).mean((1, 3))
    np.testing.assert_allclose(image[: 50 // by, : 67 // by], means, atol=6)


def test_other_files_are_read_at_full_size(write_image, tmp_path):
    full = write_image("a.png", 67, 50)
    image, by = _files(tmp_path, "a.png").image(0, 4)
    assert by == 1
    np.testing.assert_array_equal(image, full)


def test_a_wrong_size_is_found_in_a_reduced_image(write_image, tmp_path):
    write_image("a.jpg", 64, 48)
    source = _files(tmp_path, "a.jpg", [(48, 64)], (0, 0, 9, 9))
    with pytest.raises(DataError, match="has 64 x 48. The sides are swapped"):
        source.image(0, 4)


def test_headers_of_broken_files():
    with pytest.raises(DataError, match=r"x\.jpg: not a readable image"):
        image_size(b"nothing", "x.jpg")


def test_reduced_reading_refuses_truncated_files(write_image, tmp_path):
    write_image("a.jpg", 256, 256)
    data = (tmp_path / "a.jpg").read_bytes()
    assert decode_image(data, "a.jpg", 2).shape == (128, 128, 3)
    with pytest.raises(DataError, match=r"a\.jpg"):
        decode_image(data[: len(data) // 2], "a.jpg", 2)
