import dataclasses

import numpy as np
import pytest

from jaxvision.data.annotations import from_rows
from jaxvision.data.image import decode_image
from jaxvision.data.sources.files import DetectionFiles
from jaxvision.data.sources.labelled import LabelledArrays
from jaxvision.data.sources.shapes import Shapes
from jaxvision.data.sources.subset import Subset
from jaxvision.data.splits import rarest_classes


@pytest.fixture
def files(tmp_path, write_image):
    """Five images: with nothing, a and a, a and b, a crowd of b with a, and c."""
    for number in range(5):
        write_image(f"{number}.jpg", 64 + number, 48)
    annotations = from_rows(
        str(tmp_path),
        [f"{number}.jpg" for number in range(5)],
        None,
        image=[1, 1, 2, 2, 3, 3, 4],
        boxes=np.tile([0.25, 0.5, 0.5, 1], (7, 1)),
        classes=[0, 0, 0, 1, 1, 0, 2],
        crowd=[False, False, False, False, True, False, False],
    )
    return DetectionFiles(annotations, ("a", "b", "c"))


def _same(one, two):
    """Compares arrays, or the fields of samples but for `index`."""
    if dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            if field.name != "index":
                _same(getattr(one, field.name), getattr(two, field.name))
    elif isinstance(one, tuple):
        for a, b in zip(one, two, strict=True):
            _same(a, b)
    elif one is None:
        assert two is None
    else:
        assert np.asarray(one).dtype == np.asarray(two).dtype
        np.testing.assert_array_equal(one, two)


def test_a_subset_gives_what_its_source_gives(files):
    subset = Subset(files, [4, 2])
    assert len(subset) == 2
    for index, original in enumerate([4, 2]):
        _same(subset[index], files[original])
        assert subset[index].index == index
        _same(subset.annotation(index), files.annotation(original))
        _same(subset.image(index, 2), files.image(original, 2))
        _same(subset.known_objects(index), files.known_objects(original))
        assert subset.encoded(index) == files.encoded(original)
        assert subset.name(index) == files.name(original)
    for index in (-1, 2):
        with pytest.raises(IndexError, match=r"\[0, 2\)"):
            subset[index]


def test_a_subset_counts_its_own_objects_without_reading_images(files, tmp_path):
    for path in tmp_path.iterdir():
        path.unlink()
    subset = Subset(files, np.array([0, 3, 1]))
    assert subset.classes == ("a", "b", "c") and subset.max_objects == 2
    text = subset.describe(1)
    assert "3 of 5 images" in text and "a 3, b 0, c 0" in text
    assert "1 of them without objects; 3 objects, at most 2 in an image; 1 crowds" in text
    assert "1 images hold more than 1 objects" in text
    assert Subset(files, [4]).max_objects == 1 and Subset(files, [0]).max_objects == 0


def test_a_subset_of_a_subset(files):
    nested = Subset(Subset(files, [4, 2, 1]), [2])
    _same(nested[0], files[1])
    assert "a 2, b 0, c 0" in nested.describe()


def test_a_subset_of_pictures_that_are_drawn():
    shapes = Shapes(5, image_size=64)
    subset = Subset(shapes, [3])
    _same(subset[0], shapes[3])
    _same(subset.image(0), (shapes[3].image, 1))
    assert subset.annotation(0).width == 64 and subset.max_objects == shapes.max_objects
    assert "1 of 5 images" in subset.describe() and "drawn with seed 0" in subset.describe()
    np.testing.assert_array_equal(decode_image(subset.encoded(0), "x"), shapes[3].image)
    assert subset.known_objects(0) is None and not subset.dense
    assert Subset(Shapes(5, image_size=64, masks=True), [3]).dense
    assert rarest_classes(shapes) is None


def test_what_was_repaired_in_the_whole_dataset_is_reported(write_image, tmp_path):
    write_image("a.png")
    boxes = [[1, 1, 9, 9], [1, 1, 99, 9], [9, 9, 9, 9]]
    annotations = from_rows(
        str(tmp_path), ["a.png", "b.png"], [(64, 48)] * 2, image=[0, 1, 1], boxes=boxes,
        classes=[0, 0, 0],
    )  # fmt: skip
    text = Subset(DetectionFiles(annotations, ("a",)), [0]).describe()
    assert "1 objects, at most 1" in text and "in all 2: clipped 1 boxes" in text
    assert "in all 2: dropped 1 boxes" in text


@pytest.mark.parametrize("indices", [[], [5], [-1], [[0]]])
def test_bad_indices(files, indices):
    with pytest.raises(ValueError, match="ind"):
        Subset(files, indices)


def test_a_subset_of_labelled_images():
    pixels = np.arange(4 * 12, dtype=np.uint8).reshape(4, 2, 2, 3)
    source = LabelledArrays("set", ("a", "b"), np.int32([0, 1, 1, 0]), pixels)
    subset = Subset(source, [2, 3])
    assert subset.labels.tolist() == [1, 0] and subset[0].label == 1
    np.testing.assert_array_equal(subset[1].image, pixels[3])
    assert "2 of 4 images of set: 2 images; 2 classes, 1 to 1 images each" in subset.describe()
