"""McCulloch-Pitts, perceptron, Adaline, Madaline, regression and K-means."""

import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import assert_agrees
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression, Ridge

from jaxvision.models.history import (
    adaline,
    k_means,
    linear_regression,
    logistic_regression,
    madaline,
    mcculloch_pitts,
    perceptron,
)

ALL = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])


@pytest.fixture(scope="module")
def case():
    case = fill.load_case("perceptron_adaline")
    return case | {name: jnp.asarray(case[name], jnp.float32) for name in ("x", "y")}


def test_neurons_compute_logic():
    x = jnp.asarray(ALL)
    np.testing.assert_array_equal(mcculloch_pitts.logical_and(x), [0, 0, 0, 1])
    np.testing.assert_array_equal(mcculloch_pitts.logical_or(x), [0, 1, 1, 1])
    np.testing.assert_array_equal(mcculloch_pitts.logical_not(x[:, 0]), [1, 1, 0, 0])
    np.testing.assert_array_equal(mcculloch_pitts.exclusive_or(x), [0, 1, 1, 0])


def test_perceptron_learns_as_rosenblatts(case):
    fit = perceptron.fit(case["x"], case["y"], epochs=len(case["perceptron_errors"]))
    assert_agrees(fit.weights, case["perceptron_weights"], 1e-5)
    np.testing.assert_array_equal(fit.errors, case["perceptron_errors"])


def test_perceptron_separates_what_a_plane_separates():
    x = np.random.default_rng(0).standard_normal((60, 2)).astype(np.float32)
    x = x[np.abs(x[:, 0] - x[:, 1]) > 0.2]
    y = np.sign(x[:, 0] - x[:, 1])
    fit = perceptron.fit(jnp.asarray(x), jnp.asarray(y), epochs=40)
    assert fit.errors[-1] == 0
    assert (np.sign(perceptron.decision(fit.weights[-1], jnp.asarray(x))) == y).all()


def test_adaline_learns_as_widrow_and_hoffs(case):
    rate = float(case["lr"])
    online = adaline.fit_online(case["x"], case["y"], learning_rate=rate)
    assert_agrees(online.weights, case["adaline_online_weights"], 1e-5)
    steps = len(case["adaline_batch_cost"])
    batch = adaline.fit_batch(case["x"], case["y"], steps=steps, learning_rate=rate)
    assert_agrees(batch.weights, case["adaline_batch_weights"], 1e-5)
    assert_agrees(batch.cost, case["adaline_batch_cost"], 1e-5)


def test_madaline_learns_exclusive_or():
    x = jnp.asarray(2.0 * ALL - 1)
    y = jnp.asarray([-1.0, 1.0, 1.0, -1.0])
    start = 0.3 * jax.random.normal(jax.random.key(1), (2, 3))
    assert (adaline.madaline(start, x) != y).any()
    weights = adaline.fit_madaline(start, x, y, epochs=200)
    np.testing.assert_array_equal(adaline.madaline(weights, x), y)


def test_madaline_rule_two_learns_two_outputs_at_once():
    x = jnp.asarray(2.0 * ALL - 1)
    y = jnp.asarray([[-1.0, 1.0, 1.0, -1.0], [-1.0, 1.0, 1.0, 1.0]]).T
    start = madaline.initial(jax.random.key(0), 2, 8, 2)
    assert (madaline.predict(start, x) != y).any()
    found = madaline.fit(start, x, y, epochs=60)
    np.testing.assert_array_equal(madaline.predict(found.network, x), y)
    assert found.errors[0] > 0 and found.errors[-1] == 0
    # One reversal corrects the output of this one: the weights change as little as they can.
    hidden = jnp.float32([[0.0, 0.2, -0.1], [1.0, 0.0, 0.0]])
    output = jnp.float32([[2.0, 1.0, 0.0]])
    one = madaline.fit(madaline.Madaline(hidden, output), x[:1], -y[:1, :1], epochs=1).network
    step = (1.0 - (-0.3)) / 3
    np.testing.assert_allclose(one.hidden[0], hidden[0] + step * np.array([-1, -1, 1]), rtol=1e-5)
    np.testing.assert_array_equal(one.hidden[1], hidden[1])
    np.testing.assert_array_equal(one.output, output)


@pytest.fixture(scope="module")
def points():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((80, 3)).astype(np.float32)
    return x, (x @ [1.0, -2.0, 0.5] + 0.3 + 0.5 * rng.standard_normal(80)).astype(np.float32)


@pytest.mark.parametrize("ridge", [0.0, 3.0])
def test_linear_regression_is_that_of_scikit_learn(points, ridge):
    x, y = points
    theirs = Ridge(alpha=ridge).fit(x, y)
    weights = linear_regression.fit(jnp.asarray(x), jnp.asarray(y), ridge=ridge)
    np.testing.assert_allclose(weights, [*theirs.coef_, theirs.intercept_], rtol=1e-4)
    predicted = linear_regression.predict(weights, jnp.asarray(x))
    np.testing.assert_allclose(predicted, theirs.predict(x), rtol=1e-3, atol=1e-4)


def test_logistic_regression_is_that_of_scikit_learn(points):
    x, y = points
    classes = (y > 0).astype(np.float32)
    theirs = LogisticRegression(C=0.5, tol=1e-8).fit(x.astype(np.float64), classes)
    weights = logistic_regression.fit(jnp.asarray(x), jnp.asarray(classes), ridge=2.0)
    np.testing.assert_allclose(weights, [*theirs.coef_[0], *theirs.intercept_], rtol=1e-3)
    p = logistic_regression.probabilities(weights, jnp.asarray(x))
    np.testing.assert_allclose(p, theirs.predict_proba(x)[:, 1], atol=1e-4)


def test_k_means_is_that_of_scikit_learn(points):
    x, _ = points
    start = x[:4]
    theirs = KMeans(4, init=start, n_init=1, tol=0).fit(x)
    ours = k_means.fit(jnp.asarray(start), jnp.asarray(x))
    np.testing.assert_array_equal(ours.labels, theirs.labels_)
    np.testing.assert_allclose(ours.centers, theirs.cluster_centers_, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours.inertia, theirs.inertia_, rtol=1e-4)


def test_first_centers_are_far_apart():
    x = jnp.asarray([[0.0, 0], [0, 0], [0, 0], [9, 9], [9, 9]])
    centers = k_means.first_centers(jax.random.key(0), x, 2)
    assert sorted(np.asarray(centers)[:, 0].tolist()) == [0, 9]
