import literal
import numpy as np
import pytest

from jaxvision.data.augment.cutmix import CutMix
from jaxvision.data.sample import Sample, image_objects
from jaxvision.data.transforms import read

RNG = np.random.default_rng
WHITE = np.full((40, 80, 3), 255, np.uint8)


def _paste(cutmix, image, boxes, classes, source, rng):
    """Returns image, boxes and classes of a sample mixed with one of the source."""
    sample = cutmix.mix(Sample(image, 0, image_objects(boxes, classes)), source, rng)
    return sample.image, sample.objects.boxes, sample.objects.classes


class _Draws:
    """Half of the sides, at the place that the test says."""

    def __init__(self, x, y):
        self.left = [1, x, y]

    def beta(self, a, b):
        return 0.75

    def integers(self, high):
        return self.left.pop(0)


def _mix(boxes, x, y, *, other=((16, 16, 48, 40), (0, 0, 8, 8)), size=(40, 80), **options):
    pictures = [np.full((*size, 3), level, np.uint8) for level in (0, 100)]
    source = literal.Pictures(pictures, [[], other])
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    labels = np.arange(len(boxes), dtype=np.int32) + 5
    return _paste(CutMix(read, **options), WHITE, boxes, labels, source, _Draws(x, y))


def test_rectangle_of_the_other_keeps_its_place():
    # 40 x 20 around (40, 20).
    image, boxes, classes = _mix([], 40, 20)
    assert (image[10:30, 20:60] == 100).all() and (image == 100).sum() == 40 * 20 * 3
    # (16, 16, 48, 40) is cut to (20, 16, 48, 30): 392 of 768; (0, 0, 8, 8) is not seen.
    np.testing.assert_array_equal(boxes, [[20, 16, 48, 30]])
    assert classes.tolist() == [1] and boxes.dtype == np.float32
    assert (WHITE == 255).all(), "the given image is left alone"


def test_rectangle_is_cut_off_at_the_border():
    image, _, _ = _mix([], 0, 39)
    assert (image[29:, :20] == 100).all() and (image == 100).sum() == 20 * 11 * 3


def test_boxes_of_the_first_by_hand():
    # The rectangle is (20, 10) to (60, 30).
    boxes = {
        (0, 0, 15, 15): (0, 0, 15, 15),  # beside it
        (10, 12, 30, 28): (10, 12, 20, 28),  # its right half is hidden
        (50, 10, 70, 30): (60, 10, 70, 30),  # its left half
        (30, 0, 50, 20): (30, 0, 50, 10),  # its lower half
        (30, 20, 50, 40): (30, 30, 50, 40),  # its upper half
        (10, 5, 30, 20): (10, 5, 30, 20),  # a corner: what is seen reaches as far
        (10, 15, 70, 25): (10, 15, 70, 25),  # the middle: both ends are seen
        (30, 12, 50, 28): None,  # all of it
        (18, 12, 30, 28): None,  # 2 of 12 columns are seen, less than a fifth
    }
    _, found, classes = _mix(list(boxes), 40, 20, other=[])
    expected = [(number + 5, box) for number, box in enumerate(boxes.values()) if box]
    assert [tuple(box) for box in found.tolist()] == [box for _, box in expected]
    assert classes.tolist() == [number for number, _ in expected]


def test_boxes_are_tight_around_what_is_seen_brute_force():
    rng = RNG(0)
    source = literal.Pictures([np.zeros((40, 80, 3), np.uint8)], [[]])
    corners = np.sort(rng.integers(0, 40, (300, 2, 2)), axis=1).reshape(300, 4)
    corners = corners[(corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])]
    dropped = 0
    for number, (x1, y1, x2, y2) in enumerate(corners.tolist()):
        box = np.array([[x1, y1, x2, y2]], np.float32)
        image, found, _ = _paste(
            CutMix(read), WHITE, box, np.zeros(1, np.int32), source, RNG(number)
        )
        seen = image[y1:y2, x1:x2, 0] == 255
        if abs(seen.mean() - 0.2) < 1e-6:
            continue
        if seen.mean() < 0.2:
            assert len(found) == 0
            dropped += 1
            continue
        rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
        tight = x1 + columns[0], y1 + rows[0], x1 + columns[-1] + 1, y1 + rows[-1] + 1
        np.testing.assert_array_equal(found, [tight])
    assert 20 < dropped < 200


def test_other_is_letterboxed():
    # 20 x 40 fits into 40 x 80 pixels as 40 x 20 (height x width); beside it is fill.
    image, boxes, _ = _mix([], 40, 20, size=(40, 20), other=[[10, 0, 20, 40], [5, 0, 10, 20]])
    assert (image[10:30, 20:60] == 114).all()
    assert boxes.shape == (0, 4)
    image, boxes, _ = _mix([], 20, 20, size=(20, 20), other=[[10, 4, 20, 16]])
    assert (image[10:30, :40] == 100).all()
    np.testing.assert_array_equal(boxes, [[20, 10, 40, 30]])


def test_crowds_are_left_out():
    source = literal.Pictures([WHITE // 2], [[[0, 0, 80, 40]]], [np.ones(1, bool)])
    for seed in range(10):
        none = [], []
        assert _paste(CutMix(read), WHITE, *none, source, RNG(seed))[1].shape == (0, 4)


def test_share_of_the_rectangle_is_uniform():
    # With alpha = 1, before the border cuts it off: its centre at the picture's.
    class Centered:
        def __init__(self, seed):
            self.rng, self.left = RNG(seed), [0, 100, 100]

        def beta(self, a, b):
            return self.rng.beta(a, b)

        def integers(self, high):
            return self.left.pop(0)

    picture = np.zeros((200, 200, 3), np.uint8)
    source = literal.Pictures([picture + 1], [[]])
    none = [], []
    shares = [
        _paste(CutMix(read), picture, *none, source, Centered(s))[0].mean() for s in range(500)
    ]
    np.testing.assert_allclose(np.quantile(shares, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.06)


def test_bad_alpha():
    with pytest.raises(ValueError, match="alpha must be above 0, got 0"):
        CutMix(read, alpha=0)
