import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.ops.nms import Candidates
from jaxvision.ops.soft_nms import soft_non_maximum_suppression


def suppress(boxes, scores, classes, **options):
    options = (
        dict(decay="gaussian", iou_threshold=0.3, score_threshold=0.0, max_detections=len(scores))
        | options
    )
    return jax.jit(functools.partial(soft_non_maximum_suppression, **options))(
        Candidates(*map(jnp.asarray, (boxes, scores, classes)))
    )


def iou(a, b):
    size = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = size.prod() if (size > 0).all() else 0.0
    return shared / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared)


def figure_2(boxes, scores, classes, decay, threshold, sigma, class_aware):
    """Bodla et al., figure 2: returns the boxes' numbers in the order taken, and their scores."""
    left, taken = dict(enumerate(scores.astype(np.float64))), []
    while left:
        best = max(left, key=lambda i: (left[i], -i))
        taken.append((best, left.pop(best)))
        for i in left:
            if class_aware and classes[i] != classes[best]:
                continue
            u = iou(boxes[best].astype(np.float64), boxes[i].astype(np.float64))
            if decay == "gaussian":
                left[i] *= np.exp(-(u**2) / sigma)
            elif u >= threshold:
                left[i] *= 1 - u
    return taken


@pytest.mark.parametrize("class_aware", [True, False])
@pytest.mark.parametrize("decay", ["linear", "gaussian"])
def test_equals_the_papers_algorithm(decay, class_aware):
    for seed in range(2):
        rng = np.random.default_rng(seed)
        low = rng.uniform(0, 60, (80, 2))
        boxes = np.concatenate([low, low + rng.uniform(10, 50, (80, 2))], -1).astype(np.float32)
        scores = rng.random(80).astype(np.float32)
        classes = rng.integers(0, 3, 80).astype(np.int32)
        taken = figure_2(boxes, scores, classes, decay, 0.3, 0.4, class_aware)
        kept = [(i, score) for i, score in taken if score >= 0.05][:60]
        result = suppress(
            boxes,
            scores,
            classes,
            decay=decay,
            sigma=0.4,
            score_threshold=0.05,
            max_detections=60,
            class_aware=class_aware,
        )
        assert int(result.valid.sum()) == len(kept) and not result.valid[len(kept) :].any()
        order = [i for i, _ in kept]
        np.testing.assert_allclose(result.scores[: len(kept)], [s for _, s in kept], rtol=2e-5)
        np.testing.assert_array_equal(result.boxes[: len(kept)], boxes[order])
        np.testing.assert_array_equal(result.classes[: len(kept)], classes[order])


def test_equal_boxes_by_hand():
    boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 5]])
    image = boxes, np.float32([0.8, 0.9, 0.6]), np.zeros(3, np.int32)
    linear = suppress(*image, decay="linear", iou_threshold=0.5)
    # Half of the third is left, then nothing of the first.
    np.testing.assert_allclose(linear.scores, [0.9, 0.3, 0.0], atol=1e-7)
    np.testing.assert_array_equal(linear.boxes[1], boxes[2])
    kept = suppress(*image, decay="linear", iou_threshold=0.6)
    np.testing.assert_allclose(kept.scores, [0.9, 0.6, 0.0], atol=1e-7)
    gaussian = suppress(*image, sigma=0.5)
    expected = [0.9, 0.6 * np.exp(-0.5), 0.8 * np.exp(-2) * np.exp(-0.5)]
    np.testing.assert_allclose(gaussian.scores, expected, rtol=1e-6)


def test_boxes_below_the_threshold_are_padding():
    boxes = np.float32([[0, 0, 4, 4], [9, 9, 12, 12], [0, 0, 4, 4]])
    image = boxes, np.float32([0.2, -1.0, 0.9]), np.int32([1, 1, 1])
    result = suppress(*image, decay="linear", score_threshold=0.1)
    np.testing.assert_array_equal(result.valid, [True, False, False])
    np.testing.assert_array_equal(result.boxes[1:], np.zeros((2, 4)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(decay="hard"), "decay must be one of linear, gaussian, got hard"),
        (dict(sigma=0.0), "sigma must be above 0, got 0.0"),
    ],
)
def test_impossible_values_are_errors(options, message):
    with pytest.raises(ValueError, match=message):
        suppress(np.zeros((1, 4), np.float32), np.ones(1, np.float32), np.zeros(1, int), **options)
