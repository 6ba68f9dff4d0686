import functools

import cv2
import literal
import numpy as np
import pytest

from jaxvision.data.augment.affine import RandomAffine
from jaxvision.data.augment.mosaic import Mosaic

RNG = np.random.default_rng


def _draw(mosaic, source, index, rng):
    """Returns image, boxes and classes of a mosaic."""
    sample = mosaic(source, index, rng)
    return sample.image, sample.objects.boxes, sample.objects.classes


STILL = RandomAffine(0, 0, (1, 1), 0)


class _Draws:
    """Gives out the middle of every range, and image 1, 2, 3 besides the first."""

    def uniform(self, low, high, size=None):
        return (low + high) / 2 if size is None else np.full(size, (low + high) / 2)

    def integers(self, low, high, size):
        return np.arange(1, 4)


def _plain(*levels, height=40, width=80, boxes=((8, 4, 24, 16),)):
    images = [np.full((height, width, 3), level, np.uint8) for level in levels]
    return literal.Pictures(images, [boxes] * len(images))


def test_places_of_four_images_and_their_boxes():
    # 80 x 40 becomes 40 x 20, around (40, 40) of a canvas of 80 x 80; scaled by half into 40 x 40.
    source = _plain(10, 20, 30, 40)
    affine = RandomAffine(0, 0, (0.5, 0.5), 0)
    image, boxes, classes = _draw(Mosaic((40, 40), affine), source, 0, _Draws())
    np.testing.assert_allclose(
        boxes, [[2, 11, 6, 14], [22, 11, 26, 14], [2, 21, 6, 24], [22, 21, 26, 24]]
    )
    assert classes.tolist() == [0, 1, 2, 0] and boxes.dtype == np.float32
    assert (image[11:19, 1:19] == 10).all() and (image[11:19, 21:39] == 20).all()
    assert (image[21:29, 1:19] == 30).all() and (image[21:29, 21:39] == 40).all()
    assert (image[:9] == 114).all() and (image[31:] == 114).all()


def test_images_that_are_not_seen_are_not_read():
    # Around (32, 32), at scale 1, the window of 32 x 32 holds the top left image alone.
    source = _plain(10, 20, 30, 40, height=32, width=32)
    image, boxes, _ = _draw(Mosaic((32, 32), STILL), source, 0, _Draws())
    assert {index for index, _ in source.read} == {0}
    assert (image == 10).all()
    extent = (boxes[:, 2:] - boxes[:, :2]).min(1)
    assert len(boxes) == 4 and (extent > 0).tolist() == [True, False, False, False]


def test_no_objects_and_crowds():
    source = _plain(1, 2, 3, 4, boxes=[[1, 1, 9, 9]])
    source.crowd = [np.ones(1, bool)] * 4
    _, boxes, classes = _draw(Mosaic((32, 32)), source, 0, RNG(0))
    assert boxes.shape == (0, 4) and classes.shape == (0,)


def test_filter_leaves_out_what_was_cut_away():
    source = _plain(10, 20, 30, 40, height=32, width=32)
    affine = RandomAffine(0, 0, (1, 1), 0, filter_boxes=True)
    _, boxes, classes = _draw(Mosaic((32, 32), affine), source, 0, _Draws())
    assert len(boxes) == len(classes) == 1


@pytest.mark.parametrize("sizes", [((96, 128), (128, 96), (64, 64)), ((30, 40), (20, 9), (50, 50))])
@pytest.mark.parametrize("centered", [False, True])
def test_equals_resize_paste_and_warp(sizes, centered):
    images = [literal.smooth(h, w, phase) for phase, (h, w) in enumerate(sizes)]
    boxes = [[[1, 2, w / 2, h / 2], [w / 3, 3, w - 1, h - 2]] for h, w in sizes]
    source = literal.Pictures(images, boxes)
    affine = RandomAffine(scale=(0.5, 2.0), centered=centered)
    for seed in range(40):
        image, found, classes = _draw(Mosaic((96, 128), affine), source, 0, RNG(seed))
        expected = literal.mosaic(source, 0, RNG(seed), (96, 128), affine)
        np.testing.assert_allclose(found, expected[1], atol=1e-3)
        assert classes.tolist() == expected[2].tolist()
        off = np.abs(image.astype(int) - expected[0]).max(2)
        assert np.median(off) <= 1
        # More only along the borders of the images, where the literal way mixes what meets: lines
        # of at most four pixels.
        assert (off <= 8).mean() > 0.94
        assert not cv2.erode((off > 8).astype(np.uint8), np.ones((5, 5))).any()


def test_no_gap_between_images():
    # All of one colour: any pixel of fill within the canvas would be a gap.
    source = _plain(200, 200, 200, 200, height=64, width=64)
    affine = RandomAffine(translate=0, scale=(0.8, 1.2), centered=True)
    for seed in range(100):
        image, _, _ = _draw(Mosaic((64, 64), affine), source, 0, RNG(seed))
        # The tiles reach 64 pixels from their point, which is at most 32 off the middle.
        assert (image[28:36, 28:36] == 200).all()


def test_reads_at_reduced_size_what_shrinks():
    source = _plain(1, 2, 3, 4, height=256, width=256)
    for scale, reduction in [(1.0, 4), (0.49, 8), (2.0, 2), (2.1, 1)]:
        source.read.clear()
        affine = RandomAffine(0, 0, (scale, scale), 0)
        _draw(Mosaic((64, 64), affine), source, 0, _Draws())
        assert {by for _, by in source.read} == {reduction}
    source.read.clear()
    _draw(Mosaic((64, 64), STILL, max_reduction=2), source, 0, _Draws())
    assert {by for _, by in source.read} == {2}


def test_one_pixel_wide_pictures():
    source = _plain(9, 9, 9, 9, height=300, width=1, boxes=[[0, 0, 1, 300]])
    for seed in range(20):
        image, boxes, _ = _draw(Mosaic((32, 32)), source, 0, RNG(seed))
        assert image.shape == (32, 32, 3) and np.isfinite(boxes).all()


def test_statistics_agree_with_the_long_way():
    sizes = ((48, 64), (64, 40), (32, 32), (50, 64))
    rng = RNG(0)
    boxes = [np.sort(rng.uniform(0, 32, (5, 2, 2)), axis=1).reshape(5, 4) for _ in sizes]
    source = literal.Pictures([literal.smooth(h, w, 1) for h, w in sizes], boxes)

    def measure(draw, seed):
        """Kept boxes, and their mean width, height and position, and the image's mean."""
        image, boxes, _ = draw(source, seed % 4, RNG(seed))
        boxes = boxes[np.min(boxes[:, 2:] - boxes[:, :2], axis=1) > 1]
        if not len(boxes):
            return (0, *[np.nan] * 4, image.mean())
        extent, center = boxes[:, 2:] - boxes[:, :2], (boxes[:, 2:] + boxes[:, :2]) / 2
        return (len(boxes), *extent.mean(0), *center.mean(0), image.mean())

    affine = RandomAffine()
    ours = np.array(
        [measure(functools.partial(_draw, Mosaic((64, 64), affine)), seed) for seed in range(600)]
    )
    theirs = np.array(
        [
            measure(lambda *args: literal.mosaic(*args, (64, 64), affine), seed)
            for seed in range(10_000, 10_600)  # other draws: only the distribution is the same
        ]
    )
    spread = np.sqrt((np.nanvar(ours, 0) + np.nanvar(theirs, 0)) / 600)
    assert (np.abs(np.nanmean(ours, 0) - np.nanmean(theirs, 0)) < 4 * spread).all()
