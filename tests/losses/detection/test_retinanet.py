import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.losses.detection.retinanet import RetinaNetMethod
from jaxvision.models.detection.detector_output import DetectorOutput
from jaxvision.ops import box_coding
from jaxvision.ops.anchors import Anchors
from jaxvision.ops.objects import Objects

# Anchors of 10 x 10 pixels, 20 pixels apart, in an image of 100 x 50; the first two overlap.
ANCHORS = Anchors(
    np.float32([[0, 0, 10, 10], [0, 0, 10, 9], [20, 0, 30, 10], [40, 0, 50, 10]]), (3, 1), 50, 100
)


def loss_of(output, objects, anchors=ANCHORS, **options):
    method = RetinaNetMethod(**options)
    step, key = jnp.int32(0), jax.random.key(0)

    # One program is compiled more quickly than its operations one by one.
    @jax.jit
    def loss(output, objects):
        return method.loss(output, anchors, objects, step=step, key=key)

    return loss(output, objects)


def one_object(box, number=1, slots=2):
    boxes = np.zeros((1, slots, 4), np.float32)
    boxes[0, -1] = box
    return Objects(
        boxes, np.full((1, slots), number, np.int32), np.arange(slots)[None] == slots - 1
    )


def raw(logits, offsets=0.0, anchors=4, classes=2):
    return DetectorOutput(
        np.full((1, anchors, 4), offsets, np.float32),
        np.full((1, anchors, classes), logits, np.float32),
    )


def focal(p, positive, alpha=0.25, gamma=2.0):
    """Equation 5 of the paper for the probability of a class."""
    if positive:
        return -alpha * (1 - p) ** gamma * np.log(p)
    return -(1 - alpha) * p**gamma * np.log(1 - p)


def test_terms_by_hand():
    # The object is anchor 2 moved by 2 pixels: IoU 80 / 120 = 2 / 3, and nothing with the others.
    terms, logs, _ = loss_of(raw(0.0, 0.5), one_object([22, 0, 32, 10]))
    expected = focal(0.5, True) + 7 * focal(0.5, False)
    np.testing.assert_allclose(terms["classification"], expected, rtol=1e-6)
    # dx = 0.2, the rest 0, against 0.5 each.
    np.testing.assert_allclose(terms["box"], 0.3 + 3 * 0.5, rtol=1e-6)
    assert set(terms) == {"classification", "box"}
    assert logs == {"matches_per_object": 1}


def test_ignored_anchors_enter_nothing():
    # IoU with the first two anchors: 70 / 130 = 0.54 (matched) and 63 / 127 = 0.496 (ignored).
    objects = one_object([3, 0, 13, 10])
    terms, _, _ = loss_of(raw(0.0), objects)
    expected = focal(0.5, True) + 5 * focal(0.5, False)
    np.testing.assert_allclose(terms["classification"], expected, rtol=1e-6)
    changed = raw(0.0)
    changed.class_logits[0, 1] = 50.0
    assert loss_of(changed, objects).terms == terms
    strict, _, _ = loss_of(raw(0.0), objects, background_iou=0.5)
    np.testing.assert_allclose(
        strict["classification"], expected + 2 * focal(0.5, False), rtol=1e-6
    )


def test_parameters_of_the_focal_loss_and_the_weight_of_boxes():
    objects, output = one_object([22, 0, 32, 10]), raw(1.0, 0.5)
    p = 1 / (1 + np.exp(-1))
    terms, _, _ = loss_of(output, objects, alpha=0.6, gamma=1.5, box_weight=3.0)
    expected = focal(p, True, 0.6, 1.5) + 7 * focal(p, False, 0.6, 1.5)
    np.testing.assert_allclose(terms["classification"], expected, rtol=1e-5)
    np.testing.assert_allclose(terms["box"], 3 * 1.8, rtol=1e-6)


def test_each_image_is_divided_by_its_own_matches():
    one, two = one_object([22, 0, 32, 10]), one_object([0, 0, 10, 9.5])  # 1 and 2 anchors
    both = jax.tree.map(lambda *x: np.concatenate(x), one, two)
    output = raw(0.3, 0.5)
    twice = jax.tree.map(lambda x: np.concatenate([x, x]), output)
    terms = loss_of(twice, both).terms
    apart = [loss_of(output, objects).terms for objects in (one, two)]
    for name, value in terms.items():
        np.testing.assert_allclose(value, (apart[0][name] + apart[1][name]) / 2, rtol=1e-6)


def test_an_image_without_objects_trains_background_alone():
    objects = one_object([22, 0, 32, 10])._replace(valid=np.zeros((1, 2), bool))
    terms, logs, _ = loss_of(raw(0.0, 7.0), objects)
    np.testing.assert_allclose(terms["classification"], 8 * focal(0.5, False), rtol=1e-6)
    assert terms["box"] == 0
    assert logs == {"matches_per_object": 0}


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("size", [-1e4, -50.0, 50.0, 1e4])
def test_gradients_at_extremes_are_finite(size, gamma):
    boxes = np.float32([[[22, 0, 32, 10], [5, 5, 5, 5], [0, 0, 1e4, 1e4]]])  # the second is empty
    objects = Objects(boxes, np.int32([[0, 1, 1]]), np.ones((1, 3), bool))

    def total(output):
        return sum(loss_of(output, objects, gamma=gamma).terms.values())

    value, grads = jax.jit(jax.value_and_grad(total))(raw(size, size))
    assert np.isfinite(value)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(grads))


def brute_force_candidates(output, anchors, level, number):
    scores = 1 / (1 + np.exp(-np.asarray(output.class_logits, np.float64)[0, level]))
    pairs = [(a, k) for a in range(scores.shape[0]) for k in range(scores.shape[1])]
    best = sorted(pairs, key=lambda pair: -scores[pair])[:number]
    boxes = box_coding.decode(output.box_regression[0, level], anchors.boxes[level])
    boxes = np.clip(boxes, 0, np.float32([anchors.width, anchors.height] * 2))
    return [(boxes[a], scores[a, k], k) for a, k in best]


def test_candidates_are_the_best_pairs_of_every_level():
    method = RetinaNetMethod(strides=(16, 32), pre_nms=7)
    anchors = method.priors(64, 64)
    keys = jax.random.split(jax.random.key(0))
    output = DetectorOutput(
        jax.random.normal(keys[0], (1, len(anchors.boxes), 4)),
        jax.random.normal(keys[1], (1, len(anchors.boxes), 3)),
    )
    found = jax.device_get(jax.jit(lambda x: method.decode(x, anchors))(output))
    assert found.scores.shape == (1, 14)
    first = anchors.counts[0]
    expected = [
        candidate
        for level in (slice(0, first), slice(first, None))
        for candidate in brute_force_candidates(output, anchors, level, 7)
    ]
    boxes, scores, classes = zip(*expected, strict=True)
    np.testing.assert_allclose(found.boxes[0], boxes, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.scores[0], scores, rtol=1e-5)
    np.testing.assert_array_equal(found.classes[0], classes)


def decoded(method, output):
    return jax.jit(lambda x: method.decode(x, ANCHORS))(output)


def test_of_equal_scores_the_first_pairs_are_taken():
    method = RetinaNetMethod(pre_nms=3)
    output = raw(0.0)
    output.class_logits[0, 1, 1] = 1.0
    found = jax.tree.map(np.asarray, decoded(method, output))
    # Of the first level: the best pair, then anchor 0 with both classes. Of the second: both.
    np.testing.assert_array_equal(found.boxes[0], ANCHORS.boxes[[1, 0, 0, 3, 3]])
    np.testing.assert_array_equal(found.classes, [[1, 0, 1, 0, 1]])


def test_boxes_are_clipped_to_the_image():
    found = decoded(RetinaNetMethod(), raw(0.0, -3.0))
    assert (np.asarray(found.boxes) >= 0).all()
    found = decoded(RetinaNetMethod(), raw(0.0, 9.0))
    assert (np.asarray(found.boxes)[..., 2:] == [100, 50]).all()


def test_sizes_of_anchors_are_truncated():
    anchors = RetinaNetMethod(ratios=(1.0,)).priors(128, 128)
    assert anchors.counts == (3 * 256, 3 * 64, 3 * 16, 3 * 4, 3)
    np.testing.assert_array_equal(
        anchors.boxes[:3], [[-16, -16, 16, 16], [-20, -20, 20, 20], [-25, -25, 25, 25]]
    )
    assert RetinaNetMethod().anchors_per_cell == 9


def test_a_network_with_other_anchors_is_an_error():
    method = RetinaNetMethod()
    with pytest.raises(ValueError, match="the network must predict 4 anchors.*got 5"):
        method.decode(raw(0.0, anchors=5), ANCHORS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(background_iou=0.6), "must be in .*, got 0.6 and 0.5"),
        (dict(ratios=()), "ratios must be at least one number"),
        (dict(anchor_scale=0), "anchor_scale must be above 0, got 0"),
        (dict(scales_per_octave=0), "scales_per_octave must be in \\[1, 64\\], got 0"),
        (dict(pre_nms=0), "pre_nms must be at least 1, got 0"),
        (dict(alpha=1.5), "alpha must be in"),
        (dict(gamma=-0.5), "gamma must be at least 0, got -0.5"),
        (dict(box_weight=-1), "box_weight must be at least 0, got -1"),
    ],
)
def test_impossible_numbers_are_errors(options, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(RetinaNetMethod(), **options)
