import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.assigners.assignment import Assignment
from jaxvision.losses.detection.yolox import decode_boxes, encode_boxes, yolox_loss
from jaxvision.models.detection.detector_output import DetectorOutput
from jaxvision.ops.points import AnchorPoints, anchor_points


@pytest.fixture
def one_cell():
    """One anchor: the second cell of the first row at stride 8."""
    return AnchorPoints(np.float32([[12, 4]]), np.float32([8]))


def output(regression, objectness, classes):
    return DetectorOutput(*(jnp.asarray(x, jnp.float32) for x in (regression, objectness, classes)))


def test_decoding_by_hand(one_cell):
    # Centre (8 + 0.5 * 8, 0 + 0.25 * 8) = (12, 2), size (8, 16).
    boxes = decode_boxes(jnp.float32([[0.5, 0.25, 0.0, np.log(2.0)]]), one_cell)
    np.testing.assert_allclose(boxes, [[8, -6, 16, 10]], rtol=1e-6)


def test_encoding_inverts_decoding():
    points = anchor_points(64, 96, (8, 16, 32))
    code = jax.random.normal(jax.random.key(0), (2, len(points.strides), 4))
    np.testing.assert_allclose(
        encode_boxes(decode_boxes(code, points), points), code, atol=2e-4, rtol=1e-4
    )


def test_terms_by_hand(one_cell):
    # Predicted box (8, 0, 16, 8), object (8, 0, 16, 16): IoU 1/2.
    result = yolox_loss(
        output([[[0.5, 0.5, 0.0, 0.0]]], [[0.0]], [[[0.0, 0.0]]]),
        one_cell,
        Assignment(jnp.int32([[1]]), jnp.float32([[0.5]])),
        jnp.float32([[[0, 0, 0, 0], [8, 0, 16, 16]]]),
        jnp.int32([[0, 1]]),
        jnp.asarray([[False, True]]),
        l1_weight=1.0,
    )
    ln2 = np.log(2.0)
    np.testing.assert_allclose(result.box, 5 * (1 - 0.25), rtol=1e-6)
    np.testing.assert_allclose(result.objectness, ln2, rtol=1e-6)
    # Targets (0, 0.5) at p = 0.5 cost ln 2 each.
    np.testing.assert_allclose(result.classification, 2 * ln2, rtol=1e-6)
    # Centre of the object is (12, 8): code (0.5, 1, 0, ln 2) against (0.5, 0.5, 0, 0).
    np.testing.assert_allclose(result.l1, 0.5 + ln2, rtol=1e-6)
    np.testing.assert_allclose(result.total, 3.75 + 3 * ln2 + 0.5 + ln2, rtol=1e-6)
    assert result.matches_per_object == 1


def test_class_weights_by_hand(one_cell):
    # As above, with a second anchor of the same place on an object of class 0: 2 ln 2 each before
    # the weights, divided by two anchors.
    points = AnchorPoints(np.repeat(one_cell.centers, 2, 0), np.repeat(one_cell.strides, 2))
    arguments = (
        output([[[0.5, 0.5, 0.0, 0.0]] * 2], [[0.0] * 2], [[[0.0, 0.0]] * 2]),
        points,
        Assignment(jnp.int32([[1, 0]]), jnp.float32([[0.5, 0.5]])),
        jnp.float32([[[8, 0, 16, 16]] * 2]),
        jnp.int32([[0, 1]]),
        jnp.asarray([[True, True]]),
    )
    plain, weighted = jax.jit(
        lambda weights: (
            yolox_loss(*arguments),
            yolox_loss(*arguments, class_weights=weights),
        )
    )(jnp.float32([0.25, 3.0]))
    np.testing.assert_allclose(plain.classification, 2 * np.log(2), rtol=1e-6)
    np.testing.assert_allclose(weighted.classification, (0.25 + 3) * np.log(2), rtol=1e-6)
    for name in ("box", "objectness", "l1"):
        assert getattr(weighted, name) == getattr(plain, name)
    np.testing.assert_allclose(
        weighted.total - plain.total, weighted.classification - plain.classification, rtol=1e-6
    )


def test_class_weights_do_not_reach_background_anchors():
    batch = random_batch(4)
    matched = batch["assignment"].matched
    nothing = Assignment(jnp.full(matched.shape, -1, jnp.int32), jnp.zeros(matched.shape))
    infinite = jnp.full(5, jnp.inf)
    result = jax.jit(
        lambda: yolox_loss(**dict(batch, assignment=nothing), class_weights=infinite)
    )()
    assert result.classification == 0 and np.isfinite(result.total)


def random_batch(seed, images=2, objects=3):
    rng = np.random.default_rng(seed)
    points = anchor_points(64, 64, (8, 16, 32))
    anchors = len(points.strides)
    predictions = output(
        rng.normal(0, 0.5, (images, anchors, 4)),
        rng.normal(0, 1, (images, anchors)),
        rng.normal(0, 1, (images, anchors, 5)),
    )
    matched = np.where(
        rng.random((images, anchors)) < 0.1, rng.integers(0, objects, (images, anchors)), -1
    ).astype(np.int32)
    iou = np.where(matched >= 0, rng.random((images, anchors)), 0).astype(np.float32)
    low = rng.uniform(0, 32, (images, objects, 2))
    boxes = np.concatenate([low, low + rng.uniform(4, 32, (images, objects, 2))], -1)
    return dict(
        output=predictions,
        points=points,
        assignment=Assignment(jnp.asarray(matched), jnp.asarray(iou)),
        gt_boxes=jnp.asarray(boxes, jnp.float32),
        gt_classes=jnp.asarray(rng.integers(0, 5, (images, objects)), jnp.int32),
        gt_valid=jnp.ones((images, objects), bool),
    )


@pytest.mark.parametrize("box_loss", ["iou", "giou"])
def test_padding_objects_equals_not_having_them(box_loss):
    batch = random_batch(0)
    padded = dict(
        batch,
        gt_boxes=jnp.pad(batch["gt_boxes"], ((0, 0), (0, 4), (0, 0))),
        gt_classes=jnp.pad(batch["gt_classes"], ((0, 0), (0, 4))),
        gt_valid=jnp.pad(batch["gt_valid"], ((0, 0), (0, 4))),
    )
    plain = yolox_loss(**batch, l1_weight=1.0, box_loss=box_loss)
    for a, b in zip(plain, yolox_loss(**padded, l1_weight=1.0, box_loss=box_loss), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_background_anchors_enter_only_the_objectness():
    batch = random_batch(1)
    background = batch["assignment"].matched[..., None] < 0
    changed = batch["output"]._replace(
        box_regression=jnp.where(background, 7.0, batch["output"].box_regression),
        class_logits=jnp.where(background, 7.0, batch["output"].class_logits),
    )
    plain = yolox_loss(**batch, l1_weight=1.0)
    other = yolox_loss(**dict(batch, output=changed), l1_weight=1.0)
    for a, b in zip(plain, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_batch_without_objects_trains_objectness_alone():
    batch = random_batch(2)
    anchors = batch["output"].objectness.shape
    nothing = Assignment(jnp.full(anchors, -1, jnp.int32), jnp.zeros(anchors))
    result = yolox_loss(**dict(batch, assignment=nothing, gt_valid=jnp.zeros((2, 3), bool)))
    expected = np.logaddexp(0, np.asarray(batch["output"].objectness)).sum()
    np.testing.assert_allclose(result.objectness, expected, rtol=1e-5)
    assert result.box == result.classification == result.l1 == 0
    np.testing.assert_allclose(result.total, expected, rtol=1e-5)


@pytest.mark.parametrize("box_loss", ["iou", "giou"])
@pytest.mark.parametrize("size", [-1e4, -100.0, 0.0, 100.0, 1e4])
def test_gradients_at_extremes_are_finite(size, box_loss):
    batch = random_batch(3)
    extreme = batch["output"]._replace(
        box_regression=batch["output"].box_regression.at[..., 2:].set(size),
        objectness=batch["output"].objectness * 1e4,
        class_logits=batch["output"].class_logits * 1e4,
    )
    batch["gt_boxes"] = batch["gt_boxes"].at[0, 0].set(jnp.float32([5, 5, 5, 5]))  # no area

    def total(predictions):
        return yolox_loss(**dict(batch, output=predictions), l1_weight=1.0, box_loss=box_loss).total

    value, grads = jax.value_and_grad(total)(extreme)
    assert np.isfinite(value)
    for leaf in jax.tree.leaves(grads):
        assert np.isfinite(leaf).all()


def test_unknown_box_loss_is_an_error():
    with pytest.raises(ValueError, match="box_loss must be one of iou, giou, got diou"):
        yolox_loss(**random_batch(0), box_loss="diou")
