import literal
import numpy as np
import pytest

from jaxvision.data.augment.mixup import Mixup
from jaxvision.data.sample import Sample, image_objects
from jaxvision.data.transforms import read

RNG = np.random.default_rng


def _blend(mixup, image, boxes, classes, source, rng):
    """Returns image, boxes and classes of a sample mixed with one of the source."""
    sample = mixup.mix(Sample(image, 0, image_objects(boxes, classes)), source, rng)
    return sample.image, sample.objects.boxes, sample.objects.classes


class _Draws:
    """Gives out what the test says."""

    def __init__(self, jitter, mirrored, *places):
        self.jitter, self.mirrored = jitter, mirrored
        self.places = [0, *places]

    def uniform(self, low, high):
        return self.jitter

    def random(self):
        return 0.0 if self.mirrored else 1.0

    def integers(self, high):
        return self.places.pop(0)


def _mix(rng, boxes=((8, 4, 24, 16),), level=101, **options):
    source = literal.Pictures([np.full((40, 80, 3), level, np.uint8)], [boxes])
    image = np.full((40, 40, 3), 201, np.uint8)
    own = np.array([[1, 2, 3, 4]], np.float32)
    return _blend(Mixup(read, **options), image, own, np.array([2], np.int32), source, rng)


def test_smaller_partner_is_surrounded_by_fill_and_black():
    # 80 x 40 fits as 40 x 20, and half of that is 20 x 10 in a letterbox of 20 x 20.
    image, boxes, classes = _mix(_Draws(0.5, False))
    np.testing.assert_allclose(boxes, [[1, 2, 3, 4], [2, 1, 6, 4]])
    assert classes.tolist() == [2, 0] and boxes.dtype == np.float32
    assert (image[:10, :20] == 151).all()
    # (201 + 114) / 2 and 201 / 2, rounded to even.
    assert (image[10:20, :20] == 158).all()
    assert (image[20:] == 100).all() and (image[:, 20:] == 100).all()


def test_mirrored():
    _, boxes, _ = _mix(_Draws(0.5, True))
    np.testing.assert_allclose(boxes[1], [14, 1, 18, 4])


def test_larger_partner_is_cropped():
    # 40 x 20 grows to 60 x 30 in 60 x 60; the crop starts at (10, 5).
    image, boxes, _ = _mix(_Draws(1.5, False, 5, 10))
    np.testing.assert_allclose(boxes[1], [0, 0, 8, 7])
    assert (image[:25] == 151).all() and (image[25:] == 158).all()


def test_objects_cut_away_have_no_extent():
    _, boxes, _ = _mix(_Draws(1.5, False, 15, 19))
    np.testing.assert_allclose(boxes[1], [0, 0, 0, 0])
    # Mirrored, the crop at 0 shows the right of the picture, and the box is at 42 to 54.
    _, boxes, _ = _mix(_Draws(1.5, True, 0, 0))
    np.testing.assert_allclose(boxes[1], [40, 3, 40, 12])


def test_partners_have_objects():
    images = [np.full((8, 8, 3), level, np.uint8) for level in (0, 50, 100)]
    crowd = [np.zeros(0, bool), np.ones(1, bool), np.zeros(1, bool)]
    source = literal.Pictures(images, [[], [[0, 0, 4, 4]], [[0, 0, 4, 4]]], crowd)
    for seed in range(30):
        image = np.zeros((8, 8, 3), np.uint8)
        _blend(Mixup(read), image, [], [], source, RNG(seed))
    assert {index for index, _ in source.read} == {2}


def test_filter_leaves_out_what_is_small_slim_or_cut_away():
    # At half of the letterbox's scale, a quarter of the picture's.
    boxes = [(0, 0, 24, 24), (0, 0, 20, 24), (0, 0, 80, 8), (0, 0, 24, 40)]
    _, found, classes = _mix(_Draws(0.5, False), boxes, filter_boxes=True)
    # 5 pixels wide is too small, 20 x 2 as well.
    np.testing.assert_allclose(found, [[1, 2, 3, 4], [0, 0, 6, 6], [0, 0, 6, 10]])
    assert classes.tolist() == [2, 0, 0]
    # Three quarters of the picture's scale, cropped at (15, 10): 48 x 21 of the box become 6 x 11.
    image, found, _ = _mix(_Draws(1.5, False, 10, 15), [(0, 0, 28, 28)], filter_boxes=True)
    np.testing.assert_array_equal(found, [[1, 2, 3, 4]])
    assert (image == 201).all(), "nothing is blended where no object stays"


@pytest.mark.parametrize("sizes", [((96, 128), (128, 60), (64, 64)), ((30, 40), (20, 9), (50, 50))])
def test_equals_the_long_way(sizes):
    images = [literal.smooth(h, w, phase) for phase, (h, w) in enumerate(sizes)]
    source = literal.Pictures(images, [[[1, 2, w / 2, h / 2]] for h, w in sizes])
    base = literal.smooth(96, 128, 5)
    own, label = np.array([[1, 2, 3, 4]], np.float32), np.array([1])
    for seed in range(60):
        image, boxes, classes = _blend(Mixup(read), base, own, label, source, RNG(seed))
        expected = literal.mixup(base, own, label, source, RNG(seed))
        np.testing.assert_allclose(boxes, expected[1], atol=1e-3)
        assert classes.tolist() == expected[2].tolist()
        off = np.abs(image - expected[0]).max(2)
        # Borders of the partner are off by up to a pixel; for the rest, half of a colour's change.
        assert off.mean() < 2 and (off <= 6).mean() > 0.95
