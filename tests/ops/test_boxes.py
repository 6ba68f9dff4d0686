import functools

import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.ops import boxes as ops

A = jnp.float32([[0, 0, 4, 4], [0, 0, 4, 4], [0, 0, 2, 2], [1, 1, 1, 1]])
B = jnp.float32([[2, 0, 6, 4], [0, 0, 4, 4], [3, 3, 5, 5], [1, 1, 1, 1]])


def test_iou_by_hand():
    # Half of each shared: 8 of 24; equal; apart; two empty boxes.
    np.testing.assert_allclose(ops.iou(A, B, epsilon=1e-16), [1 / 3, 1, 0, 0], rtol=1e-6)


def test_generalized_iou_by_hand():
    # The hull of the third pair has 25 pixels, the two boxes 8 of them.
    giou = ops.generalized_iou(A[:3], B[:3])
    np.testing.assert_allclose(giou, [1 / 3, 1, -17 / 25], rtol=1e-6)


def test_pairwise_iou_equals_aligned_iou_of_every_pair():
    low = jax.random.uniform(jax.random.key(0), (9, 2)) * 10
    boxes = jnp.concatenate([low, low + jax.random.uniform(jax.random.key(1), (9, 2)) * 8], -1)
    pairwise = ops.pairwise_iou(boxes[:4], boxes)
    for i in range(4):
        expected = ops.iou(jnp.broadcast_to(boxes[i], (9, 4)), boxes)
        np.testing.assert_allclose(pairwise[i], expected, atol=1e-6)


def test_pairwise_iou_of_empty_boxes_is_zero():
    empty = jnp.zeros((2, 4))
    np.testing.assert_array_equal(ops.pairwise_iou(empty, empty), np.zeros((2, 2)))


def test_corners_and_centres_convert_both_ways():
    np.testing.assert_array_equal(ops.xyxy_to_cxcywh(B[:1]), [[4, 2, 4, 4]])
    np.testing.assert_array_equal(ops.cxcywh_to_xyxy(ops.xyxy_to_cxcywh(B)), B)


@pytest.fixture(scope="module")
def reference():
    """Losses, gradients and matrices of torchvision."""
    return dict(np.load(fill.HERE / "ops_boxes.npz"))


@pytest.mark.parametrize("name", ["generalized", "distance", "complete"])
def test_overlaps_and_their_gradients_equal_torchvisions(reference, name):
    overlap = functools.partial(getattr(ops, f"{name}_iou"), epsilon=1e-7)

    def total(boxes):
        losses = 1 - overlap(boxes, reference["anchors"])
        return losses.sum(), losses

    grads, losses = jax.jit(jax.grad(total, has_aux=True))(reference["pred"])
    for ours, theirs, bound in (
        (losses, reference[f"{name}_iou_loss"], 1e-4),
        (grads, reference[f"{name}_iou_loss_grad"], 1e-3),
    ):
        assert np.abs(ours - theirs).max() <= bound * np.abs(theirs).max()


def test_complete_iou_is_finite_where_a_box_has_no_area():
    flat = jnp.float32([[3, 4, 3, 9], [3, 4, 9, 4], [3, 4, 3, 4]])
    grads = jax.jit(jax.grad(lambda x: ops.complete_iou(x, flat + 2).sum()))(flat)
    assert np.isfinite(grads).all()


@pytest.mark.parametrize("name", ["generalized", "distance", "complete"])
def test_overlaps_of_all_pairs_equal_torchvisions(reference, name):
    a, b = (jnp.asarray(reference[key][:20]) for key in ("pred", "anchors"))
    overlap = getattr(ops, f"{name}_iou")
    pairs = jnp.broadcast_to(a[:, None], (20, 20, 4)), jnp.broadcast_to(b[None], (20, 20, 4))
    theirs = reference[f"{name}_iou_matrix"]
    assert np.abs(overlap(*pairs, epsilon=1e-7) - theirs).max() <= 1e-4 * np.abs(theirs).max()
    np.testing.assert_allclose(ops.pairwise_iou(a, b), reference["iou_matrix"], atol=1e-6)


def test_boxes_are_clipped_as_torchvision_does():
    case = fill.load_case("ops_nms")
    # The case moves its boxes so that some reach beyond the image.
    clipped = ops.clip_to_image(case["boxes"] * 1.2 - 15, 150, 180)
    np.testing.assert_allclose(clipped, case["clipped_150x180"], atol=1e-4)
