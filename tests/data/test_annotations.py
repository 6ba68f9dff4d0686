import numpy as np
import pytest

from jaxvision.data.annotations import clean, from_rows
from jaxvision.data.errors import DataError

CLASSES = ("cat", "dog")


def _annotations(boxes, *, image=None, sizes=((100, 50), (100, 50)), **columns):
    image = [0] * len(boxes) if image is None else image
    columns.setdefault("classes", [0] * len(boxes))
    return from_rows("root", ["a.jpg", "b.jpg"], sizes, image=image, boxes=boxes, **columns)


def test_rows_are_sorted_by_image_and_keep_their_order():
    boxes = [[0, 0, 1, 1], [0, 0, 2, 2], [0, 0, 3, 3]]
    found = _annotations(boxes, image=[1, 0, 1], classes=[0, 1, 1])
    assert found.boxes[found.rows(0), 2].tolist() == [2]
    assert found.boxes[found.rows(1), 2].tolist() == [1, 3]
    assert found.classes[found.rows(1)].tolist() == [0, 1]
    assert found.path(1) == "root/b.jpg"

    many = _annotations([[0, 0, 1, k] for k in range(1000)], image=[1, 0] * 500)
    assert (np.diff(many.boxes[many.rows(0), 3]) == 2).all()


def test_an_outside_box_is_clipped_and_reported():
    cleaned, report = clean(_annotations([[-10, 5, 120, 45], [1, 1, 2, 2]]), CLASSES)
    np.testing.assert_array_equal(cleaned.boxes, [[0, 5, 100, 45], [1, 1, 2, 2]])
    assert cleaned.boxes.dtype == np.float32
    assert cleaned.area.tolist() == [4000, 1]
    assert report.outside[0] == 1 and report.degenerate[0] == 0
    assert "root/a.jpg" in report.text() and "(-10, 5, 120, 45)" in report.text()


@pytest.mark.parametrize(
    "box",
    [
        [10, 10, 10, 20],
        [10, 20, 30, 20],
        [30, 10, 20, 20],
        [120, 10, 140, 20],
        [np.nan, 0, 5, 5],
        [0, 0, np.inf, 5],
    ],
)
def test_a_box_without_extent_is_dropped_and_reported(box):
    cleaned, report = clean(_annotations([[1, 1, 9, 9], box], image=[1, 1]), CLASSES)
    assert len(cleaned.boxes) == 1 and cleaned.rows(1) == slice(0, 1)
    assert report.degenerate[0] == 1 and report.outside[0] == 0
    assert "root/b.jpg" in report.text() and "dropped 1 boxes" in report.text()


def test_rounding_is_not_reported():
    _, report = clean(_annotations([[0, 0, 100.01, 50]]), CLASSES)
    assert report.outside[0] == 0
    _, report = clean(_annotations([[0, 0, 1.000001, 1]], sizes=None), CLASSES)
    assert report.outside[0] == 0


def test_fractions_are_clipped_to_one():
    cleaned, report = clean(_annotations([[-0.1, 0.5, 1.2, 0.75]], sizes=None), CLASSES)
    np.testing.assert_allclose(cleaned.boxes, [[0, 0.5, 1, 0.75]])
    assert report.outside[0] == 1


@pytest.mark.parametrize(
    ("box", "words"),
    [([-10, 5, 20, 20], "reaches outside"), ([10, 10, 10, 20], "x1 < x2")],
)
def test_strict_raises_with_file_and_box(box, words):
    with pytest.raises(DataError, match=words) as error:
        clean(_annotations([box]), CLASSES, strict=True)
    assert "root/a.jpg" in str(error.value) and f"({box[0]}, {box[1]}" in str(error.value)


def test_strict_accepts_clean_boxes():
    cleaned, _ = clean(_annotations([[0, 0, 100, 50]]), CLASSES, strict=True)
    assert len(cleaned.boxes) == 1


def test_report_counts_images_classes_and_crowds():
    boxes = [[0, 0, 5, 5]] * 4
    found = _annotations(boxes, classes=[1, 1, 0, 1], crowd=[False, False, False, True])
    _, report = clean(found, CLASSES)
    text = report.text(max_objects=2)
    assert "2 images, 1 of them without objects; 3 objects, at most 3" in text
    assert "cat 1, dog 2" in text and "1 crowds" in text
    assert "1 images hold more than 2 objects" in text
    assert "hold more" not in report.text(max_objects=3) + report.text()


def test_area_of_the_data_is_kept_and_zero_is_not():
    found = _annotations([[0, 0, 10, 10]] * 3, area=[40.0, 0.0, float("nan")])
    assert clean(found, CLASSES)[0].area.tolist() == [40, 100, 100]


def test_no_objects_at_all():
    cleaned, report = clean(_annotations([]), CLASSES)
    assert cleaned.rows(1) == slice(0, 0) and "0 objects" in report.text()


def test_coco_sized_annotations_are_small():
    images, total = 118_287, 860_001
    rng = np.random.default_rng(0)
    found = from_rows(
        "train2017",
        [f"{number:012}.jpg" for number in range(images)],
        np.full((images, 2), 640),
        image=rng.integers(0, images, total),
        boxes=np.tile([1.0, 1, 9, 9], (total, 1)),
        classes=np.zeros(total, int),
    )
    cleaned, _ = clean(found, CLASSES)
    arrays = [value for value in vars(cleaned).values() if isinstance(value, np.ndarray)]
    assert sum(array.nbytes for array in arrays) < 40e6
