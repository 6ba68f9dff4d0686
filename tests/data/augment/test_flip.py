import numpy as np

from jaxvision.data.augment.flip import HorizontalFlip, VerticalFlip
from jaxvision.data.sample import Sample, image_objects

RNG = np.random.default_rng


def _sample(image, boxes, classes=None):
    return Sample(image, 0, image_objects(boxes, classes))


def test_flip_mirrors_pixels_and_boxes():
    image = np.zeros((10, 20, 3), np.uint8)
    image[2:6, 3:8] = 255
    sample = HorizontalFlip(1.0)(_sample(image, [[3, 2, 8, 6], [0, 0, 20, 10]]), RNG(0))
    np.testing.assert_array_equal(sample.objects.boxes, [[12, 2, 17, 6], [0, 0, 20, 10]])
    assert (sample.image[2:6, 12:17] == 255).all() and sample.image.sum() == 5 * 4 * 3 * 255


def test_flip_twice_is_the_identity():
    rng = RNG(0)
    image = rng.integers(0, 256, (5, 7, 3), np.uint8)
    flip = HorizontalFlip(1.0)
    twice = flip(flip(_sample(image, [[1, 1, 3, 4]]), rng), rng)
    np.testing.assert_array_equal(twice.image, image)
    np.testing.assert_array_equal(twice.objects.boxes, [[1, 1, 3, 4]])


def test_no_objects():
    sample = HorizontalFlip(1.0)(_sample(np.zeros((4, 4, 3), np.uint8), []), RNG(0))
    assert sample.objects.boxes.shape == (0, 4)


def test_probability():
    rng = RNG(0)
    image = np.zeros((1, 2, 3), np.uint8)
    image[0, 0] = 1
    sample = Sample(image, 0)
    flipped = [HorizontalFlip(0.25)(sample, rng).image[0, 1, 0] for _ in range(2000)]
    assert abs(np.mean(flipped) - 0.25) < 0.04
    assert not any(HorizontalFlip(0.0)(sample, rng).image[0, 1, 0] for _ in range(50))


def test_vertical_flip_mirrors_pixels_and_boxes():
    image = np.zeros((10, 20, 3), np.uint8)
    image[2:6, 3:8] = 255
    sample = VerticalFlip(1.0)(_sample(image, [[3, 2, 8, 6], [0, 0, 20, 9]], [4, 1]), RNG(0))
    np.testing.assert_array_equal(sample.objects.boxes, [[3, 4, 8, 8], [0, 1, 20, 10]])
    assert (sample.image[4:8, 3:8] == 255).all()
    assert sample.objects.classes.tolist() == [4, 1]


def test_vertical_flip_probability_and_no_objects():
    rng = RNG(0)
    image = np.zeros((2, 1, 3), np.uint8)
    image[0, 0] = 1
    drawn = [VerticalFlip(0.25)(_sample(image, []), rng) for _ in range(2000)]
    assert abs(np.mean([flipped.image[1, 0, 0] for flipped in drawn]) - 0.25) < 0.04
    assert drawn[0].objects.boxes.shape == (0, 4)
