"""Prototypical and matching networks, against their papers' formulas."""

import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import assert_agrees

from jaxvision.losses.few_shot import (
    matching_log_probabilities,
    nearest_log_probabilities,
    prototypical_log_probabilities,
    query_loss,
)


def test_prototypes_and_attention_match_reference():
    case = fill.load_case("prototypical")
    support, queries = (jnp.asarray(case[k], jnp.float32) for k in ("support", "queries"))
    way, count, size = queries.shape
    classes = jnp.repeat(jnp.arange(way), count)

    def loss(support, queries):
        found = prototypical_log_probabilities(support, queries.reshape(-1, size))
        return query_loss(found, classes), found

    (value, found), grads = jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))(
        support, queries
    )
    assert_agrees(found.reshape(way, count, way), case["log_probabilities"], 1e-5)
    assert_agrees(value, case["loss"], 1e-5)
    assert_agrees(grads[0], case["grad_support"], 1e-5)
    assert_agrees(grads[1], case["grad_queries"], 1e-5)
    correct = np.asarray(found.argmax(-1) == classes)
    assert correct.mean() == pytest.approx(float(case["accuracy"]))
    matching = matching_log_probabilities(support, queries.reshape(-1, size))
    assert_agrees(jnp.exp(matching).reshape(way, count, way), case["matching_probabilities"], 1e-5)


def test_nearest_support_decides():
    support = jnp.asarray([[[1.0, 0.0], [-1.0, 0.1]], [[0.0, 1.0], [0.1, 3.0]]])
    found = nearest_log_probabilities(support, jnp.asarray([[-2.0, 0.0], [0.1, 5.0]]))
    np.testing.assert_array_equal(found.argmax(-1), [0, 1])
