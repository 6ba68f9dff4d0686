import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.assigners.assignment import Assignment
from jaxvision.losses.detection.yolox import BOX_LOSSES, YOLOXMethod, decode_boxes, encode_boxes
from jaxvision.models.detection.detector_output import DetectorOutput
from jaxvision.ops.objects import Objects
from jaxvision.ops.points import AnchorPoints, anchor_points


@pytest.fixture
def one_cell():
    """One anchor: the second cell of the first row at stride 8."""
    return AnchorPoints(np.float32([[12, 4]]), np.float32([8]))


def output(regression, objectness, classes):
    return DetectorOutput(*(np.asarray(x, np.float32) for x in (regression, classes, objectness)))


def assigned(matched, iou):
    matched = np.asarray(matched, np.int32)
    return Assignment(matched, np.zeros_like(matched, bool), np.asarray(iou, np.float32))


def terms_of(output, points, objects, assignment, step=0, **options):
    method = YOLOXMethod(**(dict(l1_from_step=0) | options))
    # One program is compiled more quickly than its operations one by one.
    terms = jax.jit(lambda *arrays: method.terms(*arrays, step=jnp.int32(step)))
    return terms(output, points, objects, assignment)


def total_of(loss):
    return sum(loss.terms.values())


def test_decoding_by_hand(one_cell):
    # Centre (8 + 0.5 * 8, 0 + 0.25 * 8) = (12, 2), size (8, 16).
    boxes = decode_boxes(jnp.float32([[0.5, 0.25, 0.0, np.log(2.0)]]), one_cell)
    np.testing.assert_allclose(boxes, [[8, -6, 16, 10]], rtol=1e-6)


def test_encoding_inverts_decoding():
    points = anchor_points(64, 96, (8, 16, 32))
    code = jax.random.normal(jax.random.key(0), (2, len(points.strides), 4))
    again = jax.jit(lambda x: encode_boxes(decode_boxes(x, points), points))(code)
    np.testing.assert_allclose(again, code, atol=2e-4, rtol=1e-4)


def by_hand(one_cell):
    """Predicted box (8, 0, 16, 8), object (8, 0, 16, 16): IoU 1/2."""
    return (
        output([[[0.5, 0.5, 0.0, 0.0]]], [[0.0]], [[[0.0, 0.0]]]),
        one_cell,
        Objects(
            jnp.float32([[[0, 0, 0, 0], [8, 0, 16, 16]]]),
            jnp.int32([[0, 1]]),
            jnp.asarray([[False, True]]),
        ),
        assigned([[1]], [[0.5]]),
    )


def test_terms_by_hand(one_cell):
    terms, logs, _ = terms_of(*by_hand(one_cell))
    ln2 = np.log(2.0)
    np.testing.assert_allclose(terms["box"], 5 * (1 - 0.25), rtol=1e-6)
    np.testing.assert_allclose(terms["objectness"], ln2, rtol=1e-6)
    # Targets (0, 0.5) at p = 0.5 cost ln 2 each.
    np.testing.assert_allclose(terms["classification"], 2 * ln2, rtol=1e-6)
    # Centre of the object is (12, 8): code (0.5, 1, 0, ln 2) against (0.5, 0.5, 0, 0).
    np.testing.assert_allclose(terms["l1"], 0.5 + ln2, rtol=1e-6)
    assert set(terms) == {"box", "objectness", "classification", "l1"}
    assert logs == {"matches_per_object": 1}


@pytest.mark.parametrize(
    ("box_loss", "expected"), [("iou", 0.75), ("plain_iou", 0.5), ("giou", 0.5)]
)
def test_box_losses_by_hand(one_cell, box_loss, expected):
    # The hull of the two boxes is the object: GIoU is IoU.
    terms, _, _ = terms_of(*by_hand(one_cell), box_loss=box_loss, box_weight=2.0)
    np.testing.assert_allclose(terms["box"], 2 * expected, rtol=1e-6)


def test_l1_enters_at_its_step(one_cell):
    off, on = (terms_of(*by_hand(one_cell), step=s, l1_from_step=5)[0]["l1"] for s in (4, 5))
    assert off == 0 and on > 0
    assert terms_of(*by_hand(one_cell), step=9, l1_from_step=None)[0]["l1"] == 0


def test_class_weights_by_hand(one_cell):
    # As above, with a second anchor of the same place on an object of class 0: 2 ln 2 each before
    # the weights, divided by two anchors.
    points = AnchorPoints(np.repeat(one_cell.centers, 2, 0), np.repeat(one_cell.strides, 2))
    arguments = (
        output([[[0.5, 0.5, 0.0, 0.0]] * 2], [[0.0] * 2], [[[0.0, 0.0]] * 2]),
        points,
        Objects(
            jnp.float32([[[8, 0, 16, 16]] * 2]),
            jnp.int32([[0, 1]]),
            jnp.asarray([[True, True]]),
        ),
        assigned([[1, 0]], [[0.5, 0.5]]),
    )
    plain, weighted = (
        terms_of(*arguments, class_weights=weights)[0] for weights in (None, (0.25, 3.0))
    )
    np.testing.assert_allclose(plain["classification"], 2 * np.log(2), rtol=1e-6)
    np.testing.assert_allclose(weighted["classification"], (0.25 + 3) * np.log(2), rtol=1e-6)
    for name in ("box", "objectness", "l1"):
        assert weighted[name] == plain[name]


def test_class_weights_do_not_reach_background_anchors():
    batch = random_batch(4)
    matched = batch["assignment"].matched
    nothing = assigned(np.full(matched.shape, -1), np.zeros(matched.shape))
    loss = terms_of(**dict(batch, assignment=nothing), class_weights=(1e30,) * 5)
    assert loss.terms["classification"] == 0 and np.isfinite(total_of(loss))


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
        objects=Objects(
            boxes.astype(np.float32),
            rng.integers(0, 5, (images, objects)).astype(np.int32),
            np.ones((images, objects), bool),
        ),
        assignment=assigned(matched, iou),
    )


def assert_equal(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.parametrize("box_loss", BOX_LOSSES)
def test_padding_objects_equals_not_having_them(box_loss):
    batch = random_batch(0)
    boxes, classes, valid, _ = batch["objects"]
    padded = Objects(
        np.pad(boxes, ((0, 0), (0, 4), (0, 0))),
        np.pad(classes, ((0, 0), (0, 4))),
        np.pad(valid, ((0, 0), (0, 4))),
    )
    assert_equal(
        terms_of(**batch, box_loss=box_loss),
        terms_of(**dict(batch, objects=padded), box_loss=box_loss),
    )


def test_background_anchors_enter_only_the_objectness():
    batch = random_batch(1)
    background = batch["assignment"].matched[..., None] < 0
    changed = batch["output"]._replace(
        box_regression=np.where(background, np.float32(7), batch["output"].box_regression),
        class_logits=np.where(background, np.float32(7), batch["output"].class_logits),
    )
    assert_equal(terms_of(**batch), terms_of(**dict(batch, output=changed)))


def test_batch_without_objects_trains_objectness_alone():
    batch = random_batch(2)
    empty = batch["objects"]._replace(valid=np.zeros((2, 3), bool))
    loss = jax.jit(YOLOXMethod().loss)(
        batch["output"], batch["points"], empty, step=jnp.int32(0), key=jax.random.key(0)
    )
    expected = np.logaddexp(0, np.asarray(batch["output"].objectness)).sum()
    np.testing.assert_allclose(loss.terms["objectness"], expected, rtol=1e-5)
    assert loss.terms["box"] == loss.terms["classification"] == loss.terms["l1"] == 0
    assert loss.logs["matches_per_object"] == 0


@pytest.mark.parametrize("box_loss", BOX_LOSSES)
@pytest.mark.parametrize("size", [-1e4, -100.0, 0.0, 100.0, 1e4])
def test_gradients_at_extremes_are_finite(size, box_loss):
    batch = random_batch(3)
    batch["output"].box_regression[..., 2:] = size
    extreme = batch["output"]._replace(
        objectness=batch["output"].objectness * 1e4,
        class_logits=batch["output"].class_logits * 1e4,
    )
    batch["objects"].boxes[0, 0] = 5  # no area

    def total(predictions):
        return total_of(terms_of(**dict(batch, output=predictions), box_loss=box_loss))

    value, grads = jax.jit(jax.value_and_grad(total))(extreme)
    assert np.isfinite(value)
    for leaf in jax.tree.leaves(grads):
        assert np.isfinite(leaf).all()


def test_candidates_are_the_most_probable_class_of_each_anchor(one_cell):
    raw = output([[[0.5, 0.25, 0.0, np.log(2.0)]]], [[0.0]], [[[-1.0, 3.0]]])
    found = jax.jit(YOLOXMethod().decode)(raw, one_cell)
    np.testing.assert_allclose(found.boxes, [[[8, -6, 16, 10]]], rtol=1e-6)
    np.testing.assert_allclose(found.scores, [[0.5 / (1 + np.exp(-3))]], rtol=1e-6)
    np.testing.assert_array_equal(found.classes, [[1]])


def test_a_network_without_objectness_is_an_error(one_cell):
    raw = DetectorOutput(jnp.zeros((1, 1, 4)), jnp.zeros((1, 1, 2)))
    with pytest.raises(ValueError, match="must predict objectness"):
        YOLOXMethod().decode(raw, one_cell)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(box_loss="diou"), "box_loss must be one of iou, plain_iou, giou, got diou"),
        (dict(candidates="box"), "candidates must be one of center, box_or_center, got box"),
        (dict(center_radius=0), "center_radius must be above 0, got 0"),
        (dict(top_k=0), "top_k must be at least 1, got 0"),
        (dict(iou_weight=-1), "iou_weight must be at least 0, got -1"),
        (dict(box_weight=-1), "box_weight must be at least 0, got -1"),
        (dict(class_weights=(1.0, -1.0)), "class_weights must be at least 0"),
    ],
)
def test_unknown_names_and_impossible_numbers_are_errors(options, message):
    with pytest.raises(ValueError, match=message):
        YOLOXMethod(**options)
