import functools

import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.ops.nms import Candidates, non_maximum_suppression


def suppress(boxes, scores, classes=None, **options):
    if classes is None:
        classes = np.zeros(len(scores), np.int32)
    options = dict(score_threshold=0.0, max_detections=len(scores)) | options
    return jax.jit(functools.partial(non_maximum_suppression, **options))(
        Candidates(*map(jnp.asarray, (boxes, scores, classes)))
    )


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


def random_boxes(rng, count=200):
    low = rng.uniform(0, 60, (count, 2))
    return np.concatenate([low, low + rng.uniform(10, 50, (count, 2))], -1).astype(np.float32)


def assert_kept(result, boxes, scores, classes, kept):
    assert int(result.valid.sum()) == len(kept)
    np.testing.assert_array_equal(result.scores[: len(kept)], scores[kept])
    np.testing.assert_array_equal(result.boxes[: len(kept)], boxes[kept])
    np.testing.assert_array_equal(result.classes[: len(kept)], classes[kept])


@pytest.mark.parametrize("class_aware", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_equals_the_greedy_algorithm(seed, class_aware):
    rng = np.random.default_rng(seed)
    boxes, scores = random_boxes(rng), rng.random(200).astype(np.float32)
    classes = rng.integers(0, 3, 200).astype(np.int32)
    kept = greedy(boxes, scores, classes, 0.4, 0.1, class_aware)
    result = suppress(
        boxes,
        scores,
        classes,
        iou_threshold=0.4,
        score_threshold=0.1,
        max_detections=150,
        class_aware=class_aware,
    )
    assert_kept(result, boxes, scores, classes, kept)


def test_a_box_with_several_classes_competes_in_each():
    rng = np.random.default_rng(9)
    boxes, scores = random_boxes(rng, 40), rng.random((40, 3)).astype(np.float32)
    pairs = np.repeat(boxes, 3, axis=0), scores.reshape(-1), np.tile(np.arange(3), 40)
    kept = greedy(*pairs, 0.5, 0.2, True)
    result = suppress(*pairs, iou_threshold=0.5, score_threshold=0.2)
    assert_kept(result, *pairs, kept)
    assert len({tuple(box) for box in np.asarray(result.boxes)[: len(kept)]}) < len(kept)


def test_the_best_candidates_suffice_for_the_best_detections():
    rng = np.random.default_rng(4)
    boxes, scores = random_boxes(rng), rng.random(200).astype(np.float32)
    everything = suppress(boxes, scores, iou_threshold=0.5, max_detections=20)
    some = suppress(boxes, scores, iou_threshold=0.5, max_detections=20, max_candidates=100)
    for a, b in zip(everything, some, strict=True):
        np.testing.assert_array_equal(a, b)
    assert some.valid.all()


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_matches_reference(threshold):
    case = fill.load_case("ops_nms")
    kept = case[f"nms_{threshold}"]
    nothing = np.zeros(200, np.int32)
    result = suppress(case["boxes"], case["scores"], iou_threshold=threshold)
    assert_kept(result, case["boxes"], case["scores"], nothing, kept)


def test_classes_match_reference():
    case = fill.load_case("ops_nms")
    groups = case["groups"].astype(np.int32)
    result = suppress(case["boxes"], case["scores"], groups, iou_threshold=0.5)
    assert_kept(result, case["boxes"], case["scores"], groups, case["batched_nms_0.5"])


def test_equal_scores_and_an_overlap_equal_to_the_threshold_match_reference():
    case = fill.load_case("ops_nms")
    nothing = np.zeros(200, np.int32)
    result = suppress(case["boxes"], case["tied_scores"], iou_threshold=0.5)
    assert_kept(result, case["boxes"], case["tied_scores"], nothing, case["nms_tied_0.5"])
    result = suppress(case["exact_boxes"], case["exact_scores"], iou_threshold=0.5)
    kept = case["nms_exact_0.5"]
    assert_kept(result, case["exact_boxes"], case["exact_scores"], nothing, kept)


def test_a_long_chain_of_suppressions_is_greedy():
    # Each box overlaps only its neighbours: every other one stays.
    x = np.arange(40, dtype=np.float32) * 5
    boxes = np.stack([x, 0 * x, x + 10, 0 * x + 10], -1)
    result = suppress(boxes, np.linspace(1, 0.5, 40, dtype=np.float32), iou_threshold=0.3)
    np.testing.assert_array_equal(result.boxes[:20, 0], x[::2])
    assert int(result.valid.sum()) == 20


def test_only_the_best_are_returned_and_the_rest_is_padding():
    boxes = np.float32([[0, 0, 1, 1], [5, 5, 6, 6], [9, 9, 10, 10]])
    image = boxes, np.float32([0.2, 0.9, 0.5]), np.int32([1, 2, 3])
    two = suppress(*image, iou_threshold=0.5, max_detections=2)
    np.testing.assert_array_equal(two.classes, [2, 3])
    some = suppress(*image, iou_threshold=0.5, score_threshold=0.6)
    np.testing.assert_array_equal(some.valid, [True, False, False])
    np.testing.assert_array_equal(some.boxes[1:], np.zeros((2, 4)))
    np.testing.assert_array_equal(some.classes, [2, 0, 0])


def test_nothing_above_the_threshold():
    boxes = np.float32([[0, 0, 1, 1], [0, 0, 1, 1]])
    result = suppress(boxes, np.zeros(2, np.float32), iou_threshold=0.5, score_threshold=0.1)
    assert not result.valid.any()
