"""Contrastive and triplet losses, against FaceNet's, Hermans' and Hadsell's formulas."""

import functools

import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import assert_agrees

from jaxvision.losses.metric_learning import (
    batch_all_loss,
    batch_hard_loss,
    contrastive,
    normalized,
    semi_hard_loss,
    semi_hard_triplets,
    squared_distances,
)

EXACT = 1e-5


@pytest.fixture(scope="module")
def case():
    case = fill.load_case("metric_losses")
    return case | {
        "x": jnp.asarray(case["embeddings"], jnp.float32),
        "labels": jnp.asarray(case["labels"], jnp.int32),
        "margin": float(case["margin"]),
    }


def test_distances(case):
    x = normalized(case["x"])
    assert_agrees(squared_distances(x, x), case["squared_distances"], EXACT)


def test_semi_hard_triplets_are_those_of_the_reference(case):
    distances = jnp.asarray(case["squared_distances"], jnp.float32)
    found = jax.jit(semi_hard_triplets)(distances, case["labels"])
    negatives, fallback, pairs = map(np.asarray, found)
    anchors, positives, expected = case["semihard_triplets"].T
    np.testing.assert_array_equal(np.argwhere(pairs), np.stack([anchors, positives], axis=1))
    np.testing.assert_array_equal(negatives[anchors, positives], expected)
    np.testing.assert_array_equal(fallback[anchors, positives], case["semihard_fallback"])


@pytest.mark.parametrize(
    ("name", "loss"), [("semihard", semi_hard_loss), ("batch_hard", batch_hard_loss)]
)
def test_triplet_losses_and_gradients(case, name, loss):
    value, grad = jax.jit(jax.value_and_grad(loss))(
        case["x"], case["labels"], margin=case["margin"]
    )
    assert_agrees(value, case[f"{name}_loss"], EXACT)
    assert_agrees(grad, case[f"{name}_grad"], EXACT)


@pytest.mark.parametrize(("nonzero", "name"), [(False, "loss"), (True, "loss_nonzero")])
def test_all_triplets(case, nonzero, name):
    loss = jax.jit(functools.partial(batch_all_loss, margin=case["margin"], nonzero=nonzero))
    assert_agrees(loss(case["x"], case["labels"]), case[f"batch_all_{name}"], EXACT)


def test_contrastive_loss_and_gradient(case):
    i, j = case["contrastive_i"], case["contrastive_j"]
    same = jnp.asarray(case["contrastive_same"], jnp.float32)
    margin = float(case["contrastive_margin"])

    def loss(x):
        return contrastive(x[i], x[j], same, margin=margin).mean()

    value, grad = jax.jit(jax.value_and_grad(loss))(case["x"])
    assert_agrees(value, case["contrastive_loss"], EXACT)
    assert_agrees(grad, case["contrastive_grad"], EXACT)


def test_equal_embeddings_and_single_classes_have_finite_gradients():
    x, labels = np.ones((4, 3), np.float32), np.zeros(4, int)
    for loss in (semi_hard_loss, batch_hard_loss, batch_all_loss):
        loss = jax.jit(jax.value_and_grad(loss))
        assert float(loss(x, labels)[0]) == 0.0
        assert np.isfinite(loss(0 * x, np.arange(4) // 2)[1]).all()
    grad = jax.jit(jax.grad(lambda x: contrastive(x, x, np.zeros(4)).sum()))(x)
    assert np.isfinite(grad).all()
