import numpy as np
import pytest

from jaxvision.data.augment.erasing import Cutout, RandomErasing
from jaxvision.data.sample import Sample, image_objects

RNG = np.random.default_rng
WHITE = np.full((40, 80, 3), 255, np.uint8)
BOXES = np.array([[0, 0, 80, 40], [10, 10, 30, 20]], np.float32)
CLASSES = np.array([1, 2], np.int32)
NONE = [], []


def _erase(transform, image, boxes, classes, rng):
    """Returns image, boxes and classes of the changed sample."""
    sample = transform(Sample(image, 0, image_objects(boxes, classes)), rng)
    return sample.image, sample.objects.boxes, sample.objects.classes


class _Draws:
    """Gives out the middle of every range, and the places that the test says."""

    def __init__(self, *places):
        self.places = list(places)

    def random(self):
        return 0.0

    def uniform(self, low, high):
        return (low + high) / 2

    def integers(self, *bounds):
        return self.places.pop(0)


def test_rectangle_by_hand():
    # A quarter of 3,200 pixels, twice as high as wide: sqrt(800 * 2) = 40 by sqrt(800 / 2) = 20.
    erasing = RandomErasing(1.0, (0.25, 0.25), (2, 2), fill=7)
    image, boxes, classes = _erase(erasing, WHITE, BOXES, CLASSES, _Draws(15, 0))
    assert (image[:, 15:35] == 7).all() and (image == 7).sum() == 800 * 3
    assert boxes.tolist() == BOXES.tolist() and classes.tolist() == [1, 2]
    assert (WHITE == 255).all(), "the given image is left alone"


def test_what_does_not_fit_is_drawn_again():
    erasing = RandomErasing(1.0, (0.25, 0.25), (2, 2), fill=7)
    image, _, _ = _erase(erasing, WHITE, *NONE, _Draws(61, 0, 20, 1, 60, 0))
    assert (image[:, 60:] == 7).all() and (image == 7).sum() == 800 * 3
    # Nothing of an aspect ratio of a half to 2 with half of the area is as slim as that.
    slim = np.zeros((1, 99, 3), np.uint8)
    assert _erase(RandomErasing(1.0, (0.5, 0.5), (0.5, 2)), slim, *NONE, RNG(0))[0] is slim


def test_hidden_objects_are_dropped():
    # The columns 15 to 34 hide 15 of the 20 columns of the second box, a quarter of the first.
    def kept(max_covered):
        erasing = RandomErasing(1.0, (0.25, 0.25), (2, 2), fill=7, max_covered=max_covered)
        return _erase(erasing, WHITE, BOXES, CLASSES, _Draws(15, 0))[2].tolist()

    assert kept(1.0) == kept(0.75) == [1, 2]
    assert kept(0.74) == kept(0.25) == [1]
    assert kept(0.24) == []


def test_no_objects_and_boxes_without_extent():
    for transform in (RandomErasing(1.0, max_covered=0.5), Cutout(max_covered=0.5)):
        assert _erase(transform, WHITE, *NONE, RNG(0))[1].shape == (0, 4)
        flat = np.array([[80, 3, 80, 12]], np.float32)
        assert len(_erase(transform, WHITE, flat, CLASSES[:1], RNG(0))[1]) == 1


def test_fills():
    rng = RNG(0)
    image = rng.integers(0, 256, (60, 60, 3), np.uint8)
    image[..., 0] = 9

    def erased(fill):
        result = _erase(RandomErasing(1.0, (0.2, 0.2), (1, 1), fill), image, *NONE, RNG(3))[0]
        return result[(result != image).any(2)]

    assert (erased("mean") == np.rint(image.mean((0, 1)))).all()
    assert len(np.unique(erased("color"), axis=0)) == 1
    assert len(np.unique(erased("noise"), axis=0)) > 400
    assert (erased(0) == 0).all()


def test_area_and_aspect_against_brute_force():
    # As algorithm 1 has it, on a picture large enough for rounding not to matter.
    size, rng, expected = 300, RNG(0), []
    while len(expected) < 3000:
        area, aspect = rng.uniform(0.02, 0.4) * size**2, rng.uniform(0.3, 1 / 0.3)
        h, w, x, y = (area * aspect) ** 0.5, (area / aspect) ** 0.5, *rng.uniform(0, size, 2)
        if x + w <= size and y + h <= size:
            expected.append((h * w / size**2, np.log(h / w), (x + w / 2) / size))
    image = np.zeros((size, size, 3), np.uint8)
    found = []
    for seed in range(600):
        mask = _erase(RandomErasing(1.0, fill=1), image, *NONE, RNG(seed))[0][..., 0]
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert mask.sum() == len(rows) * len(columns), "one rectangle"
        found.append(
            (
                mask.mean(),
                np.log(len(rows) / len(columns)),
                (columns[0] + columns[-1] + 1) / 2 / size,
            )
        )
    found, expected = np.array(found), np.array(expected)
    assert found[:, 0].min() > 0.019 and found[:, 0].max() < 0.41
    spread = np.sqrt(found.var(0) / 600 + expected.var(0) / 3000)
    assert (np.abs(found.mean(0) - expected.mean(0)) < 4 * spread).all()
    np.testing.assert_allclose(found.std(0), expected.std(0), rtol=0.1)


def test_erasing_probability():
    erasing = RandomErasing(0.25, fill=1)
    image = np.zeros((30, 30, 3), np.uint8)
    rng = RNG(0)
    assert (
        abs(np.mean([_erase(erasing, image, *NONE, rng)[0].any() for _ in range(2000)]) - 0.25)
        < 0.04
    )


def test_squares_by_hand():
    # Around (10, 5): columns 6 to 13, rows 1 to 8. Around (79, 39): cut off at the border.
    image, boxes, _ = _erase(Cutout(2, 8, fill=7), WHITE, BOXES, CLASSES, _Draws(10, 5, 79, 39))
    expected = WHITE.copy()
    expected[1:9, 6:14] = expected[35:, 75:] = 7
    np.testing.assert_array_equal(image, expected)
    assert boxes.tolist() == BOXES.tolist()


def test_squares_hide_together():
    # Each hides 100 of the second box's 200 pixels, the two of them all.
    def kept(max_covered, *places):
        cutout = Cutout(2, 10, max_covered=max_covered)
        return _erase(cutout, WHITE, BOXES, CLASSES, _Draws(*places))[2].tolist()

    assert kept(0.99, 15, 15, 25, 15) == [1]
    assert kept(0.5, 15, 15, 15, 15) == [1, 2]
    assert kept(0.49, 15, 15, 15, 15) == [1]


def test_centres_of_squares_are_anywhere():
    image = np.zeros((20, 20, 3), np.uint8)
    share = np.mean(
        [_erase(Cutout(1, 10, fill=1), image, *NONE, RNG(s))[0][..., 0] for s in range(3000)], 0
    )
    # In the middle half of the places hide a pixel on each axis, at the corner 6 of 20: the
    # square's first pixel is 5 before its centre, and one at 0 to 5 reaches pixel 0.
    assert abs(share[10, 10] - 0.25) < 0.03 and abs(share[0, 0] - 0.09) < 0.02


@pytest.mark.parametrize("fill", ["black", -1, 256, 0.5])
def test_unknown_fill(fill):
    for transform in (RandomErasing, Cutout):
        with pytest.raises(
            ValueError, match="fill must be one of noise, color, mean or in 0 to 255"
        ):
            transform(fill=fill)


def test_bad_ranges():
    with pytest.raises(ValueError, match="area must be"):
        RandomErasing(area=(0, 0.4))
    with pytest.raises(ValueError, match="aspect must be"):
        RandomErasing(aspect=(2, 1))
    with pytest.raises(ValueError, match=r"squares must be in \[1, 1000\], got 0"):
        Cutout(0)
