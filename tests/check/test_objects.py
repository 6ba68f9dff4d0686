import numpy as np

from jaxvision.check.objects import in_pixels, input_sides, repeated_boxes
from jaxvision.data.annotations import from_rows


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = np.prod(np.maximum(sides, 0))
    return float(shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared))


def test_repeated_boxes_are_those_of_brute_force():
    rng = np.random.default_rng(0)
    first = rng.uniform(0, 50, (60, 2))
    boxes = np.concatenate([first, first + rng.uniform(5, 40, (60, 2))], axis=1)
    # Near copies of all kinds: IoUs on both sides of 0.9.
    boxes = np.concatenate([boxes + rng.normal(0, 0.4, boxes.shape) for _ in range(4)])
    boxes = boxes[rng.permutation(len(boxes))]
    image, classes = rng.integers(0, 3, len(boxes)), rng.integers(0, 2, len(boxes))
    considered = rng.random(len(boxes)) < 0.9

    twice, two_classes = np.zeros((2, len(boxes)), bool)
    for j in range(len(boxes)):
        for i in range(j):
            if image[i] == image[j] and considered[i] and considered[j]:
                same = _iou(boxes[i], boxes[j]) > 0.9
                twice[j] |= same and classes[i] == classes[j]
                two_classes[j] |= same and classes[i] != classes[j]
    two_classes &= ~twice
    assert twice.sum() > 20 and two_classes.sum() > 10
    found = repeated_boxes(boxes, image, classes, considered)
    np.testing.assert_array_equal(found[0], twice)
    np.testing.assert_array_equal(found[1], two_classes)


def test_many_boxes_at_one_place_are_all_compared():
    boxes = np.tile([0.0, 0, 10, 10], (900, 1))
    boxes[:, 3] = 10.0 * 1.2 ** (np.arange(900) % 30)
    twice, _ = repeated_boxes(boxes, np.zeros(900, int), np.zeros(900, int), np.ones(900, bool))
    assert twice.sum() == 900 - 30


def test_sides_are_measured_after_the_letterbox():
    # 1280 x 640 pixels into 640: half the size. 400 x 100 becomes 200 x 50, its root 100.
    root, shortest = input_sides(
        np.array([[0.0, 0, 400, 100], [0, 0, 2, 2]]), np.array([[1280, 640], [320, 100]]), 640
    )
    np.testing.assert_allclose(root, [100, 4])
    np.testing.assert_allclose(shortest, [50, 4])


def test_fractions_become_pixels():
    found = from_rows(
        "root", ["a", "b"], None, image=[1, 0], boxes=[[0, 0, 0.5, 1]] * 2, classes=[0, 0]
    )
    boxes = in_pixels(found, np.array([[100, 50], [0, 0]]))
    np.testing.assert_allclose(boxes, [[0, 0, 50, 50], [0, 0, 0, 0]])
