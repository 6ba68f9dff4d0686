import functools

import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.assigners.max_iou import max_iou
from jaxvision.ops.objects import Objects

# Of torchvision's `Matcher`: foreground and background IoU, low-quality matches.
REFERENCE = {
    "matched_rpn": (0.7, 0.3, True),
    "matched_roi": (0.5, 0.5, False),
    "matched_retina": (0.5, 0.4, True),
}


def assign(boxes, gt_boxes, valid=None, foreground=0.5, background=0.4, low_quality=True):
    gt_boxes = np.asarray(gt_boxes, np.float32)
    valid = np.ones(len(gt_boxes), bool) if valid is None else np.asarray(valid)
    objects = Objects(jnp.asarray(gt_boxes), jnp.zeros(len(gt_boxes), jnp.int32), valid)
    options = dict(foreground_iou=foreground, background_iou=background, low_quality=low_quality)
    return jax.device_get(
        jax.jit(functools.partial(max_iou, **options))(np.asarray(boxes, np.float32), objects)
    )


def coded(result):
    """As torchvision writes it: -2 for ignored anchors."""
    return np.where(result.ignored, -2, result.matched)


@pytest.mark.parametrize("name", REFERENCE)
def test_assignment_matches_reference(name):
    case = fill.load_case("ops_boxes")
    result = assign(case["match_anchors"], case["match_gt"], None, *REFERENCE[name])
    np.testing.assert_array_equal(coded(result), case[name])


def brute_force(boxes, gt_boxes, valid, foreground, background, low_quality):
    def iou(a, b):
        size = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
        shared = size.prod() if (size > 0).all() else np.float32(0)
        union = (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared
        return shared / union if union else np.float32(0)

    objects = np.flatnonzero(valid)
    table = {(n, a): iou(gt_boxes[n], box) for n in objects for a, box in enumerate(boxes)}
    best = {n: max(table[n, a] for a in range(len(boxes))) for n in objects}
    expected = []
    for a in range(len(boxes)):
        nearest = max(objects, key=lambda n, a=a: (table[n, a], -n), default=None)
        overlap = -1 if nearest is None else table[nearest, a]
        rescued = low_quality and any(table[n, a] == best[n] > 0 for n in objects)
        if overlap >= foreground or rescued:
            expected.append(nearest)
        else:
            expected.append(-2 if overlap >= background else -1)
    return np.array(expected)


@pytest.mark.parametrize("low_quality", [True, False])
@pytest.mark.parametrize("objects", [0, 1, 3, 12])
def test_assignment_equals_brute_force(objects, low_quality):
    for seed in range(5):
        rng = np.random.default_rng([objects, seed])
        # On whole pixels, so that equal overlaps occur.
        low = rng.integers(0, 40, (160, 2))
        boxes = np.concatenate([low, low + rng.integers(4, 30, (160, 2))], -1).astype(np.float32)
        gt_boxes = boxes[rng.permutation(160)[:16]] + np.float32(1)
        gt_boxes[5] = gt_boxes[4]
        valid = np.zeros(16, bool)
        valid[rng.permutation(16)[:objects]] = True  # anywhere, not only in front
        gt_boxes[~valid] = boxes[0]  # padding may hold anything
        result = assign(boxes, gt_boxes, valid, low_quality=low_quality)
        expected = brute_force(boxes, gt_boxes, valid, 0.5, 0.4, low_quality)
        np.testing.assert_array_equal(coded(result), expected)
        assert ((result.iou > 0) == (result.matched >= 0)).all()


def test_band_between_the_thresholds_is_ignored():
    # Heights 10, 5, 4, 3.9 of an object of height 10: IoU 1, 0.5, 0.4 and 0.39.
    boxes = [[0, 0, 10, height] for height in (10, 5, 4.0001, 3.9)]
    result = assign(boxes, [[0, 0, 10, 10]])
    np.testing.assert_array_equal(result.matched, [0, 0, -1, -1])
    np.testing.assert_array_equal(result.ignored, [False, False, True, False])
    np.testing.assert_allclose(result.iou, [1, 0.5, 0, 0])


def test_an_object_without_a_good_anchor_gets_its_best_ones():
    # The small object overlaps two anchors by 1 / 16 and nothing else.
    boxes = [[0, 0, 8, 8], [0, 0, 8, 8], [6, 6, 20, 20], [40, 40, 60, 60]]
    result = assign(boxes, [[40, 40, 60, 60], [3, 3, 5, 5]])
    np.testing.assert_array_equal(result.matched, [1, 1, -1, 0])
    without = assign(boxes, [[40, 40, 60, 60], [3, 3, 5, 5]], low_quality=False)
    np.testing.assert_array_equal(without.matched, [-1, -1, -1, 0])


def test_a_best_anchor_goes_to_the_object_that_it_overlaps_more():
    # Anchor 0 is the best of both objects; it overlaps the first by 0.9, the second by 0.1.
    result = assign([[0, 0, 10, 10], [50, 0, 60, 10]], [[0, 0, 10, 9], [0, 9, 10, 10]])
    np.testing.assert_array_equal(result.matched, [0, -1])


def test_an_object_that_overlaps_nothing_matches_nothing():
    result = assign([[0, 0, 8, 8], [8, 8, 16, 16]], [[100, 100, 120, 120], [4, 4, 4, 4]])
    np.testing.assert_array_equal(result.matched, [-1, -1])
    assert not result.ignored.any()


def test_thresholds_must_be_in_order():
    with pytest.raises(ValueError, match="must be in \\[0, 1\\] and not fall, got 0.6 and 0.5"):
        assign([[0, 0, 1, 1]], [[0, 0, 1, 1]], background=0.6)
