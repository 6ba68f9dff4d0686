import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.losses.detection.fast_rcnn import FastRCNNMethod
from jaxvision.losses.detection.rpn import Proposals, RPNMethod
from jaxvision.models.detection.fast_rcnn import RegionOutput
from jaxvision.models.detection.faster_rcnn import ProposalOutput
from jaxvision.ops import box_coding
from jaxvision.ops.boxes import pairwise_iou
from jaxvision.ops.objects import Objects

SIDE = 64
SMALL = RPNMethod(strides=(8, 16), sizes=((16.0,), (32.0,)), pre_nms=(40, 10), post_nms=(30, 5))


def objects(*per_image):
    """Objects of images, each a list of (x1, y1, x2, y2, class), padded with boxes of no area."""
    count = max(map(len, per_image), default=0) + 1
    rows = np.zeros((len(per_image), count, 5), np.float32)
    valid = np.zeros((len(per_image), count), bool)
    for i, found in enumerate(per_image):
        rows[i, : len(found)] = np.array(found, np.float32).reshape(-1, 5)
        valid[i, : len(found)] = True
    return Objects(jnp.asarray(rows[..., :4]), jnp.asarray(rows[..., 4], jnp.int32), valid)


def random_output(method, batch=1, seed=0):
    rng = np.random.default_rng(seed)
    count = len(method.priors(SIDE, SIDE).boxes)
    logits = jnp.asarray(rng.normal(size=(batch, count)), jnp.float32)
    return ProposalOutput(
        logits, jnp.asarray(0.2 * rng.normal(size=(batch, count, 4)), jnp.float32)
    )


def greedy(boxes, scores, threshold):
    kept, overlaps = [], np.asarray(pairwise_iou(boxes, boxes))
    for i in np.argsort(-scores, kind="stable"):
        if (overlaps[i, kept] <= threshold).all():
            kept.append(i)
    return kept


@pytest.mark.parametrize("train", [True, False])
def test_proposals_are_the_best_of_each_map_without_those_that_overlap(train):
    output, anchors = random_output(SMALL), SMALL.priors(SIDE, SIDE)
    found = jax.jit(lambda x: SMALL.proposals(x, anchors, train=train))(output)
    pre, post = (x[0 if train else 1] for x in (SMALL.pre_nms, SMALL.post_nms))
    boxes = np.clip(box_coding.decode(output.box_regression[0], anchors.boxes), 0, SIDE)
    logits, start, expected = np.asarray(output.objectness[0]), 0, []
    for count in anchors.counts:
        best = start + np.argsort(-logits[start : start + count])[:pre]
        expected += [best[i] for i in greedy(boxes[best], logits[best], 0.7)]
        start += count
    expected = sorted(expected, key=lambda i: -logits[i])[:post]
    assert found.valid[0].sum() == len(expected) == min(post, len(expected))
    np.testing.assert_allclose(found.boxes[0, : len(expected)], boxes[expected], atol=1e-4)
    scores = 1 / (1 + np.exp(-logits[expected]))
    np.testing.assert_allclose(found.scores[0, : len(expected)], scores, rtol=1e-5)


def test_proposals_have_no_gradient():
    output, anchors = random_output(SMALL), SMALL.priors(SIDE, SIDE)

    def total(x):
        return SMALL.proposals(x, anchors, train=True).boxes.sum()

    for grad in jax.jit(jax.grad(total))(output):
        np.testing.assert_array_equal(grad, 0)


def test_proposal_loss_of_a_sample_equals_that_of_its_anchors():
    method = RPNMethod(SMALL.strides, SMALL.sizes, samples=10)
    output, anchors = random_output(method, batch=2), method.priors(SIDE, SIDE)
    given = objects([(4, 4, 22, 20, 0), (30, 30, 62, 60, 1)], [])
    terms = jax.jit(lambda x, k: method.loss(x, anchors, given, key=k).terms)
    one, other = terms(output, jax.random.key(0)), terms(output, jax.random.key(1))
    assert one["proposal_objectness"] != other["proposal_objectness"]  # another sample

    # Flat logits: any sample has the same loss. The box term counts the anchors that match, five
    # at most: here all of them.
    flat = ProposalOutput(jnp.zeros_like(output.objectness), jnp.zeros_like(output.box_regression))
    matched = np.asarray(method.assign(anchors, given).matched)
    places = np.argwhere(matched >= 0)
    assert 2 <= len(places) <= 5
    code = box_coding.encode(
        given.boxes[places[:, 0], matched[matched >= 0]], anchors.boxes[places[:, 1]]
    )
    size = np.abs(np.asarray(code))
    error = np.where(size < 1 / 9, 4.5 * size**2, size - 1 / 18).sum()
    found = terms(flat, jax.random.key(0))
    np.testing.assert_allclose(found["proposal_objectness"], np.log(2), rtol=1e-6)
    np.testing.assert_allclose(found["proposal_box"], error / 20, rtol=1e-5)


def given_proposals(boxes, count=None):
    boxes = jnp.asarray(boxes, jnp.float32)[None]
    valid = np.arange(boxes.shape[1])[None] < (boxes.shape[1] if count is None else count)
    return Proposals(boxes, jnp.ones(valid.shape), jnp.asarray(valid))


def test_regions_are_drawn_in_the_wanted_proportion():
    rng = np.random.default_rng(0)
    near = np.array([10, 10, 30, 30]) + rng.uniform(-1, 1, (40, 4))
    far = np.array([40, 40, 60, 60]) + rng.uniform(-1, 1, (60, 4))
    proposals = given_proposals(np.concatenate([near, far]))
    method = FastRCNNMethod(samples=32)
    sample = jax.jit(method.sample)
    regions = sample(proposals, objects([(10, 10, 30, 30, 2)]), key=jax.random.key(0))
    assert regions.valid.all() and regions.boxes.shape == (1, 32, 4)
    assert (regions.labels == 3).sum() == 8 and (regions.labels == 0).sum() == 24
    again = sample(proposals, objects([(10, 10, 30, 30, 2)]), key=jax.random.key(1))
    assert not np.array_equal(regions.boxes, again.boxes)
    positive = np.asarray(regions.labels[0] > 0)
    decode = jax.jit(lambda *x: box_coding.decode(*x, method.weights))
    decoded = np.asarray(decode(regions.targets, regions.boxes))[0, positive]
    np.testing.assert_allclose(decoded, np.tile([10, 10, 30, 30], (8, 1)), atol=1e-3)
    np.testing.assert_array_equal(np.asarray(regions.targets)[0, ~positive], 0)


def test_fewer_regions_than_samples_are_padded():
    proposals = given_proposals([[0, 0, 9, 9], [40, 40, 50, 50], [0, 0, 64, 64]], count=2)
    regions = jax.jit(FastRCNNMethod(samples=512).sample)(
        proposals, objects([(0, 0, 9, 9, 0)]), key=jax.random.key(0)
    )
    # Two proposals and the object itself; the third proposal and the padding object do not count.
    assert regions.valid.tolist() == [[True] * 3 + [False] * 2]
    assert regions.labels[0, :3].tolist() == [1, 0, 1]


def test_background_must_overlap_an_object_where_that_is_asked_for():
    boxes = [[0, 0, 20, 20], [0, 0, 20, 5], [40, 40, 60, 60]]
    given = objects([(0, 0, 20, 20, 1)])
    regions = jax.jit(FastRCNNMethod(background_iou=0.1).sample)(
        given_proposals(boxes), given, key=jax.random.key(0)
    )
    kept = np.asarray(regions.boxes)[np.asarray(regions.valid)]
    np.testing.assert_array_equal(kept, [boxes[0], boxes[1], boxes[0]])


def test_loss_of_regions_by_hand():
    logits = jnp.array([[[0.0, 1.0, 2.0], [3.0, 0.0, 0.0], [5.0, 5.0, 5.0]]])
    offsets = np.zeros((1, 3, 3, 4), np.float32)
    offsets[0, 0, 2] = [0.05, 1.0, 0.0, -2.0]
    regions = jax.jit(FastRCNNMethod().sample)(
        given_proposals([[0, 0, 9, 9], [30, 30, 40, 40]]), objects([]), key=jax.random.key(0)
    )
    regions = regions._replace(
        boxes=jnp.zeros((1, 3, 4)),
        labels=jnp.array([[2, 0, 1]]),
        targets=jnp.zeros((1, 3, 4)),
        valid=jnp.array([[True, True, False]]),
    )
    loss = jax.jit(lambda *x: FastRCNNMethod(box_weight=3.0).loss(*x).terms)
    terms = loss(RegionOutput(logits, offsets), regions)
    first = np.log(1 + np.exp(-1) + np.exp(-2))
    second = np.log(1 + 2 * np.exp(-3))
    np.testing.assert_allclose(terms["classification"], (first + second) / 2, rtol=1e-6)
    error = 4.5 * 0.05**2 + (1 - 1 / 18) + (2 - 1 / 18)
    np.testing.assert_allclose(terms["box"], 3 * error / 2, rtol=1e-6)


# No object, no proposal, a box thinner than a pixel.
@pytest.mark.parametrize("found", [[], [(10, 10, 10.001, 40, 0)], [(5, 5, 5, 5, 1)]])
@pytest.mark.parametrize("count", [0, 2])
def test_losses_and_gradients_stay_finite(found, count):
    given, anchors = objects(found, []), SMALL.priors(SIDE, SIDE)
    method = FastRCNNMethod(samples=8)
    boxes = jnp.tile(jnp.array([[10.0, 10.0, 10.0, 40.0], [5.0, 5.0, 5.0, 5.0]])[None], (2, 1, 1))
    valid = jnp.broadcast_to(jnp.arange(2)[None] < count, (2, 2))

    @jax.jit
    @jax.value_and_grad
    def total(scale):
        output = random_output(SMALL, batch=2)
        output = ProposalOutput(output.objectness * scale, output.box_regression * scale)
        terms = SMALL.loss(output, anchors, given, key=jax.random.key(0)).terms
        regions = method.sample(
            Proposals(boxes, jnp.ones(valid.shape), valid), given, key=jax.random.key(1)
        )
        shape = regions.labels.shape
        regions_output = RegionOutput(
            scale * jnp.ones((*shape, 3)), scale * 100 * jnp.ones((*shape, 3, 4))
        )
        terms |= method.loss(regions_output, regions).terms
        return sum(terms.values())

    value, grad = total(1.0)
    assert jnp.isfinite(value) and jnp.isfinite(grad)


def test_decoded_boxes_lie_in_the_image_and_padding_has_no_score():
    proposals = given_proposals([[50, 50, 70, 70], [0, 0, 10, 10], [0, 0, 64, 64]], count=2)
    offsets = np.zeros((1, 3, 3, 4), np.float32)
    offsets[0, 0, 1, 2:] = 100.0
    logits = jnp.array([[[0.0, 2.0, 1.0], [9.0, 0.0, 0.0], [0.0, 9.0, 9.0]]])
    decode = jax.jit(lambda *x: FastRCNNMethod().decode(*x, SIDE, SIDE))
    found = jax.tree.map(np.asarray, decode(RegionOutput(logits, offsets), proposals))
    best = found.scores[0].argmax()
    np.testing.assert_array_equal(found.boxes[0, best], [0, 0, SIDE, SIDE])
    expected = np.exp(2) / (1 + np.exp(2) + np.exp(1))
    np.testing.assert_allclose(found.scores[0, best], expected, rtol=1e-5)
    assert found.classes[0, best] == 0
    assert (found.scores[0] >= 0).sum() == 4  # two regions, two classes


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        (RPNMethod, dict(sizes=((32.0,),)), "sizes must be as many for each of the strides"),
        (RPNMethod, dict(pre_nms=(0, 1)), "pre_nms must be at least 1"),
        (RPNMethod, dict(nms_threshold=1.5), r"nms_threshold must be in \[0, 1\], got 1.5"),
        (RPNMethod, dict(ratios=(0.0,)), "ratios must be above 0"),
        (RPNMethod, dict(samples=0), "samples must be at least 1, got 0"),
        (RPNMethod, dict(beta=-1.0), "beta must be at least 0"),
        (FastRCNNMethod, dict(positive_share=2.0), r"positive_share must be in \[0, 1\], got 2.0"),
        (FastRCNNMethod, dict(background_iou=0.6), "background_iou and foreground_iou must be"),
        (FastRCNNMethod, dict(weights=(1.0, 1.0, 0.0, 1.0)), "weights must be above 0"),
        (FastRCNNMethod, dict(pre_nms=0), "pre_nms must be at least 1"),
        (FastRCNNMethod, dict(box_weight=-1.0), "box_weight must be at least 0"),
    ],
)
def test_values_out_of_range_are_errors(method, options, message):
    with pytest.raises(ValueError, match=message):
        method(**options)


def test_anchors_that_do_not_fit_the_network_are_an_error():
    output = random_output(SMALL)
    with pytest.raises(ValueError, match=r"must predict \d+ anchors"):
        RPNMethod(SMALL.strides, SMALL.sizes, ratios=(1.0,)).proposals(
            output,
            RPNMethod(SMALL.strides, SMALL.sizes, ratios=(1.0,)).priors(SIDE, SIDE),
            train=True,
        )
