import numpy as np
import pytest

from jaxvision.data.errors import DataError
from jaxvision.data.sources.shapes import CLASSES, Drawing, Shapes, draw

SOURCE = Shapes(200, image_size=160)


def _grounded(size=100) -> Drawing:
    return Drawing(np.full((size, size, 3), 90, np.uint8))


def _square(x1, y1, x2, y2):
    return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float64)


RED, FLAT = np.array([255.0, 0, 0]), np.zeros((100, 100), np.float32)


def test_a_picture_is_a_function_of_its_index():
    again = Shapes(200, image_size=160)
    for index in (0, 17, 199):
        one, two = SOURCE[index], again[index]
        np.testing.assert_array_equal(one.image, two.image)
        np.testing.assert_array_equal(one.objects.boxes, two.objects.boxes)
        np.testing.assert_array_equal(one.objects.classes, two.objects.classes)
    assert (SOURCE[0].image != SOURCE[1].image).any()


@pytest.mark.parametrize("change", [{"split": "val"}, {"seed": 1}])
def test_splits_and_seeds_are_different_pictures(change):
    other = Shapes(200, image_size=160, **change)
    assert not any((SOURCE[i].image == other[j].image).all() for i in range(5) for j in range(5))


def test_examples_keep_the_contract():
    counts = np.zeros(len(CLASSES), int)
    for index in range(len(SOURCE)):
        image, objects = SOURCE[index].image, SOURCE[index].objects
        boxes, classes, crowd = objects.boxes, objects.classes, objects.crowd
        area = objects.area
        assert image.shape == (160, 160, 3) and image.dtype == np.uint8
        assert boxes.dtype == area.dtype == np.float32 and classes.dtype == np.int32
        assert 1 <= len(boxes) == len(classes) == len(crowd) == len(area) <= SOURCE.max_objects
        assert (boxes >= 0).all() and (boxes <= 160).all() and not crowd.any()
        side = (boxes[:, 2:] - boxes[:, :2]).max(1) / 160
        # Half of the smallest may be covered.
        assert (side > 0.05).all() and (side < 0.47).all()
        counts += np.bincount(classes, minlength=len(CLASSES))
    assert counts.min() > 0.7 * counts.max()


def test_boxes_are_tight_around_what_is_seen():
    for seed in range(60):
        drawing = draw(np.random.default_rng(seed), 128)
        objects = drawing.objects(masks=True)
        boxes, area = objects.boxes, objects.area
        for number, (x1, y1, x2, y2) in enumerate(boxes.astype(int), 1):
            seen = drawing.owner == number
            assert not (seen.sum() - seen[y1:y2, x1:x2].sum())
            assert seen[y1, x1:x2].any() and seen[y2 - 1, x1:x2].any()
            assert seen[y1:y2, x1].any() and seen[y1:y2, x2 - 1].any()
            assert seen.sum() == area[number - 1]
            np.testing.assert_array_equal(objects.masks[number - 1], seen)


def test_the_picture_shows_the_object_where_the_box_is():
    drawing = _grounded()
    assert drawing.place(1, _square(20, 30, 59, 79), RED, FLAT)
    image, boxes = drawing.image, drawing.objects(masks=False).boxes
    rows, columns = np.nonzero((image[..., 0] > 200) & (image[..., 1] < 40))
    np.testing.assert_array_equal(
        boxes, [[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]]
    )
    np.testing.assert_array_equal(boxes, [[20, 30, 60, 80]])


def test_a_partly_covered_object_has_the_box_of_its_visible_part():
    drawing = _grounded()
    assert drawing.place(0, _square(10, 10, 49, 49), RED, FLAT)
    assert drawing.place(1, _square(41, 5, 90, 54), RED, FLAT)
    boxes = drawing.objects(masks=False).boxes
    np.testing.assert_array_equal(boxes, [[10, 10, 41, 50], [41, 5, 91, 55]])


def test_an_object_that_would_hide_another_is_not_drawn():
    drawing = _grounded()
    assert drawing.place(0, _square(10, 10, 49, 49), RED, FLAT)
    before = drawing.image.copy()
    assert not drawing.place(1, _square(35, 5, 84, 54), RED, FLAT)
    np.testing.assert_array_equal(drawing.image, before)
    assert len(drawing.objects(masks=False).boxes) == 1


def test_an_object_that_would_leave_the_picture_is_not_drawn():
    assert not _grounded().place(0, _square(80, 80, 110, 99), RED, FLAT)


def test_objects_stand_out():
    contrasts = []
    for seed in range(150):
        drawing = draw(np.random.default_rng(seed), 64)
        image = drawing.image.astype(np.float32)
        ground = image[drawing.owner == 0].mean(0)
        for number in range(1, len(drawing.classes) + 1):
            contrasts.append(np.linalg.norm(image[drawing.owner == number].mean(0) - ground))
    assert np.min(contrasts) > 85


def test_outside_the_length_is_an_index_error():
    with pytest.raises(IndexError):
        SOURCE[200]
    with pytest.raises(IndexError):
        SOURCE[-1]


def test_bad_numbers():
    with pytest.raises(ValueError, match=r"length must be in \[1, 10_000_000\], got 0"):
        Shapes(0)
    with pytest.raises(ValueError, match="image_size must be at least 32, got 8"):
        Shapes(1, image_size=8)


def test_other_classes_are_an_error():
    assert Shapes(1, classes=CLASSES).classes == CLASSES
    with pytest.raises(DataError, match="circle, square, star, triangle"):
        Shapes(1, classes=("cat",))


def test_description_names_the_split():
    assert "'train'" in SOURCE.describe(120) and SOURCE.name(3) == "shapes/train[3]"


def test_masks_and_label_map_on_demand():
    plain = Shapes(20, image_size=96)
    full = Shapes(20, image_size=96, masks=True, label_map=True)
    assert not plain.dense and full.dense and Shapes(1, label_map=True).dense
    assert plain[3].objects.masks is None and plain[3].mask is None
    for index in range(20):
        one, two = plain[index], full[index]
        np.testing.assert_array_equal(one.image, two.image)
        np.testing.assert_array_equal(one.objects.boxes, two.objects.boxes)
        painted = np.zeros((96, 96), np.uint8)
        for mask, label in zip(two.objects.masks, two.objects.classes, strict=True):
            assert not painted[mask].any(), "a pixel shows one object"
            painted[mask] = label + 1
        np.testing.assert_array_equal(two.mask, painted)
