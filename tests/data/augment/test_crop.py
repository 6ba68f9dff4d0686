import numpy as np
import pytest

from jaxvision.data.augment.crop import RandomCrop
from jaxvision.data.sample import Sample, image_objects

RNG = np.random.default_rng
IMAGE = np.arange(40 * 80 * 3, dtype=np.uint32).reshape(40, 80, 3).astype(np.uint8)
BOXES = np.array([[8, 4, 24, 16], [50, 10, 80, 40], [0, 0, 80, 40]], np.float32)
CLASSES = np.array([2, 0, 1], np.int32)


def _crop(transform, image, boxes, classes, rng):
    """Returns image, boxes and classes of the cropped sample."""
    sample = transform(Sample(image, 0, image_objects(boxes, classes)), rng)
    return sample.image, sample.objects.boxes, sample.objects.classes


class _Draws:
    """Gives out what the test says."""

    def __init__(self, *integers, scale=0.5, aspect=1.0):
        self.integers_left = [0, *integers]
        self.uniforms = [scale, aspect]

    def random(self):
        return 0.0

    def uniform(self, low, high):
        value = self.uniforms.pop(0)
        assert low <= value <= high
        return value

    def integers(self, high):
        return self.integers_left.pop(0)


def test_boxes_follow_the_patch_by_hand():
    # Half of the sides from (10, 6): centres (16, 10) and (40, 20) lie in it, (65, 25) does not.
    image, boxes, classes = _crop(RandomCrop(), IMAGE, BOXES, CLASSES, _Draws(10, 6))
    np.testing.assert_array_equal(image, IMAGE[6:26, 10:50])
    np.testing.assert_array_equal(boxes, [[0, 0, 14, 10], [0, 0, 40, 20]])
    assert classes.tolist() == [2, 1] and boxes.dtype == np.float32


def test_aspect_ratio_widens_by_its_root():
    # sqrt(1.44) = 1.2: 0.5 * 1.2 * 80 = 48 wide, 0.5 / 1.2 * 40 = 16.7 high.
    image, _, _ = _crop(RandomCrop(), IMAGE, BOXES, CLASSES, _Draws(0, 0, aspect=1.44))
    assert image.shape == (17, 48, 3)


def test_a_fixed_size():
    for seed in range(20):
        crop = RandomCrop(1.0, scale=(0.5, 0.5), aspect=(1, 1), overlaps=(0,))
        assert _crop(crop, IMAGE, BOXES, CLASSES, RNG(seed))[0].shape == (20, 40, 3)
    whole = _crop(RandomCrop(1.0, scale=(1, 1), overlaps=(0,)), IMAGE, BOXES, CLASSES, RNG(0))
    np.testing.assert_array_equal(whole[0], IMAGE)
    np.testing.assert_array_equal(whole[1], BOXES)


def test_objects_cut_away_are_dropped():
    image, boxes, classes = _crop(RandomCrop(), IMAGE, BOXES[:1], CLASSES[:1], _Draws(40, 20))
    assert image.shape == (20, 40, 3) and boxes.shape == (0, 4) and classes.shape == (0,)


def test_no_objects():
    for seed in range(30):
        crop = RandomCrop(1.0, overlaps=(0.9,))
        image, boxes, _ = _crop(crop, IMAGE, [], [], RNG(seed))
        assert boxes.shape == (0, 4) and boxes.dtype == np.float32
    assert image.shape != IMAGE.shape, "nothing to overlap with: any patch will do"


@pytest.mark.parametrize("least", [0.1, 0.3, 0.5, 0.7])
def test_overlap_is_reached_brute_force(least):
    # Every pixel tells its place, so that the patch can be found again.
    y, x = np.mgrid[:60, :90].astype(np.uint8)
    image = np.stack([x, y, x], axis=2)
    rng = RNG(0)
    low = rng.integers(0, (60, 30), (200, 2))
    corners = np.concatenate([low, np.minimum(low + rng.integers(10, 60, (200, 2)), (90, 60))], 1)
    cropped = 0
    for number in range(0, len(corners) - 3, 3):
        boxes = corners[number : number + 3].astype(np.float32)
        crop = RandomCrop(1.0, overlaps=(least,))
        patch, left, kept = _crop(crop, image, boxes, np.arange(3), rng)
        (px, py), (h, w) = patch[0, 0, :2].astype(int), patch.shape[:2]
        if patch.shape == image.shape:
            continue
        cropped += 1
        mask = np.zeros((60, 90), bool)
        mask[py : py + h, px : px + w] = True
        best = 0.0
        for index, (x1, y1, x2, y2) in enumerate(boxes.astype(int)):
            inside = px <= (x1 + x2) / 2 < px + w and py <= (y1 + y2) / 2 < py + h
            assert inside == (index in kept)
            if inside:
                own = np.zeros_like(mask)
                own[y1:y2, x1:x2] = True
                best = max(best, (own & mask).sum() / (own | mask).sum())
                # The box goes with the pixels: its corner shows what the corner showed.
                a, b = left[kept.tolist().index(index)][:2].astype(int)
                assert (patch[b, a, :2] == (max(x1, px), max(y1, py))).all()
        assert best >= least
    assert cropped > 10


def test_whole_image_if_no_patch_will_do():
    # The object is smaller than a tenth of the smallest patch.
    tiny = np.array([[1, 1, 2, 2]], np.float32)
    sample = Sample(IMAGE, 0, image_objects(tiny, CLASSES[:1]))
    assert RandomCrop(1.0, overlaps=(0.9,))(sample, RNG(0)) is sample


def test_scale_and_aspect_cover_their_ranges():
    crop = RandomCrop(1.0, overlaps=(0.0,))
    image = np.zeros((400, 400, 3), np.uint8)
    sizes = np.array([_crop(crop, image, BOXES, CLASSES, RNG(s))[0].shape[:2] for s in range(2000)])
    sizes = sizes / 400
    scale, aspect = np.sqrt(sizes.prod(1)), sizes[:, 1] / sizes[:, 0]
    assert 0.295 <= scale.min() < 0.32 and 0.98 < scale.max() <= 1.005
    assert 0.49 <= aspect.min() < 0.52 and 1.92 < aspect.max() <= 2.03
    assert abs(scale.mean() - 0.65) < 0.02


def test_one_image_in_seven_stays_whole():
    crop = RandomCrop(overlaps=(0.0,), scale=(0.5, 0.9))
    whole = [_crop(crop, IMAGE, BOXES, CLASSES, RNG(s))[0] is IMAGE for s in range(2000)]
    assert abs(np.mean(whole) - 1 / 7) < 0.03


@pytest.mark.parametrize(
    "options", [{"scale": (0, 1)}, {"scale": (0.5, 1.1)}, {"aspect": (2, 3)}, {"overlaps": ()}]
)
def test_bad_ranges(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be"):
        RandomCrop(**options)
