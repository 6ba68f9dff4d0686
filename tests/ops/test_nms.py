import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.ops.nms import non_maximum_suppression


def greedy(boxes, scores, classes, iou_threshold, score_threshold, class_aware):
    """Indices that the textbook algorithm keeps, best first."""

    def iou(a, b):
        size = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
        shared = size.prod() if (size > 0).all() else 0.0
        return shared / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared)

    kept = []
    for i in np.argsort(-scores, kind="stable"):
        if scores[i] < score_threshold:
            break
        rivals = [j for j in kept if not class_aware or classes[j] == classes[i]]
        if all(iou(boxes[i], boxes[j]) <= iou_threshold for j in rivals):
            kept.append(i)
    return kept


@pytest.mark.parametrize("class_aware", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_equals_the_greedy_algorithm(seed, class_aware):
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 60, (200, 2))
    boxes = np.concatenate([low, low + rng.uniform(10, 50, (200, 2))], -1).astype(np.float32)
    scores = rng.random(200).astype(np.float32)
    classes = rng.integers(0, 3, 200).astype(np.int32)
    kept = greedy(boxes, scores, classes, 0.4, 0.1, class_aware)
    result = jax.jit(
        functools.partial(
            non_maximum_suppression,
            iou_threshold=0.4,
            score_threshold=0.1,
            max_detections=150,
            class_aware=class_aware,
        )
    )(boxes, scores, classes)
    assert int(result.valid.sum()) == len(kept)
    np.testing.assert_array_equal(result.scores[: len(kept)], scores[kept])
    np.testing.assert_array_equal(result.boxes[: len(kept)], boxes[kept])
    np.testing.assert_array_equal(result.classes[: len(kept)], classes[kept])


def test_a_long_chain_of_suppressions_is_greedy():
    # Each box overlaps only its neighbours: every other one stays.
    x = np.arange(40, dtype=np.float32) * 5
    boxes = np.stack([x, 0 * x, x + 10, 0 * x + 10], -1)
    result = non_maximum_suppression(
        boxes,
        jnp.linspace(1, 0.5, 40),
        jnp.zeros(40, int),
        iou_threshold=0.3,
        score_threshold=0.0,
        max_detections=40,
    )
    np.testing.assert_array_equal(result.boxes[:20, 0], x[::2])
    assert int(result.valid.sum()) == 20


def test_only_the_best_are_returned_and_the_rest_is_padding():
    boxes = jnp.float32([[0, 0, 1, 1], [5, 5, 6, 6], [9, 9, 10, 10]])
    nms = functools.partial(
        non_maximum_suppression, boxes, jnp.float32([0.2, 0.9, 0.5]), jnp.int32([1, 2, 3])
    )
    two = nms(iou_threshold=0.5, score_threshold=0.0, max_detections=2)
    np.testing.assert_array_equal(two.classes, [2, 3])
    some = nms(iou_threshold=0.5, score_threshold=0.6, max_detections=3)
    np.testing.assert_array_equal(some.valid, [True, False, False])
    np.testing.assert_array_equal(some.boxes[1:], np.zeros((2, 4)))
    np.testing.assert_array_equal(some.classes, [2, 0, 0])


def test_nothing_above_the_threshold():
    boxes = jnp.float32([[0, 0, 1, 1], [0, 0, 1, 1]])
    result = non_maximum_suppression(
        boxes,
        jnp.zeros(2),
        jnp.zeros(2, int),
        iou_threshold=0.5,
        score_threshold=0.1,
        max_detections=2,
    )
    assert not result.valid.any()
