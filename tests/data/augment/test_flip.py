import numpy as np

from jaxvision.data.augment.flip import HorizontalFlip, VerticalFlip


def test_flip_mirrors_pixels_and_boxes():
    image = np.zeros((10, 20, 3), np.uint8)
    image[2:6, 3:8] = 255
    boxes = np.array([[3, 2, 8, 6], [0, 0, 20, 10]], np.float32)
    image, boxes = HorizontalFlip(1.0)(image, boxes, np.random.default_rng(0))
    np.testing.assert_array_equal(boxes, [[12, 2, 17, 6], [0, 0, 20, 10]])
    assert (image[2:6, 12:17] == 255).all() and image.sum() == 5 * 4 * 3 * 255


def test_flip_twice_is_the_identity():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (5, 7, 3), np.uint8)
    boxes = np.array([[1, 1, 3, 4]], np.float32)
    twice = HorizontalFlip(1.0)(*HorizontalFlip(1.0)(image, boxes, rng), rng)
    np.testing.assert_array_equal(twice[0], image)
    np.testing.assert_array_equal(twice[1], boxes)


def test_no_objects():
    _, boxes = HorizontalFlip(1.0)(
        np.zeros((4, 4, 3), np.uint8), np.zeros((0, 4), np.float32), np.random.default_rng(0)
    )
    assert boxes.shape == (0, 4)


def test_probability():
    rng = np.random.default_rng(0)
    image = np.zeros((1, 2, 3), np.uint8)
    image[0, 0] = 1
    boxes = np.zeros((0, 4), np.float32)
    flipped = [HorizontalFlip(0.25)(image, boxes, rng)[0][0, 1, 0] for _ in range(2000)]
    assert abs(np.mean(flipped) - 0.25) < 0.04
    assert not any(HorizontalFlip(0.0)(image, boxes, rng)[0][0, 1, 0] for _ in range(50))


def test_vertical_flip_mirrors_pixels_and_boxes():
    image = np.zeros((10, 20, 3), np.uint8)
    image[2:6, 3:8] = 255
    boxes = np.array([[3, 2, 8, 6], [0, 0, 20, 9]], np.float32)
    image, boxes, classes = VerticalFlip(1.0)(
        image, boxes, np.array([4, 1]), np.random.default_rng(0)
    )
    np.testing.assert_array_equal(boxes, [[3, 4, 8, 8], [0, 1, 20, 10]])
    assert (image[4:8, 3:8] == 255).all() and image.sum() == 5 * 4 * 3 * 255
    assert classes.tolist() == [4, 1]


def test_vertical_flip_probability_and_no_objects():
    rng = np.random.default_rng(0)
    image = np.zeros((2, 1, 3), np.uint8)
    image[0, 0] = 1
    none = np.zeros((0, 4), np.float32), np.zeros(0, np.int32)
    drawn = [VerticalFlip(0.25)(image, *none, rng) for _ in range(2000)]
    assert abs(np.mean([flipped[1, 0, 0] for flipped, _, _ in drawn]) - 0.25) < 0.04
    assert drawn[0][1].shape == (0, 4)
