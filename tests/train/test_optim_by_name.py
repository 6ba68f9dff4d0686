import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxvision.train.optim import OPTIMIZERS, optimizer, reduce_on_plateau, sgd

PARAMS = {"a": {"kernel": jnp.float32([[3.0, -4.0]]), "bias": jnp.float32([2.0])}}
GRADS = {"a": {"kernel": jnp.float32([[1.0, 2.0]]), "bias": jnp.float32([2.0])}}


def updates(transform, steps=1, grads=GRADS, **extra):
    state = transform.init(PARAMS)
    found = None
    for _ in range(steps):
        found, state = transform.update(grads, state, PARAMS, **extra)
    return found["a"]


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("sgd", optax.sgd(0.1)),
        ("momentum", optax.sgd(0.1, momentum=0.9)),
        ("nesterov", optax.sgd(0.1, momentum=0.9, nesterov=True)),
        ("adagrad", optax.adagrad(0.1)),
        ("adadelta", optax.adadelta(0.1)),
        ("rmsprop", optax.rmsprop(0.1, momentum=0.9, eps_in_sqrt=False)),
        ("adam", optax.adam(0.1)),
        ("adamw", optax.adamw(0.1, weight_decay=0.0)),
        ("lamb", optax.lamb(0.1)),
    ],
)
def test_names_are_those_of_optax(name, reference):
    for one, two in zip(
        jax.tree.leaves(updates(optimizer(name, 0.1), 3)),
        jax.tree.leaves(updates(reference, 3)),
        strict=True,
    ):
        np.testing.assert_allclose(one, two, rtol=1e-5)


def test_every_name_is_tested():
    assert len(OPTIMIZERS) == 9


@pytest.mark.parametrize("nesterov", [True, False])
def test_decay_of_nesterov_is_that_of_the_old_name(nesterov):
    new = optimizer("nesterov" if nesterov else "momentum", 0.1, weight_decay=0.5)
    old = sgd(0.1, nesterov=nesterov, weight_decay=0.5)
    for one, two in zip(
        jax.tree.leaves(updates(new, 2)), jax.tree.leaves(updates(old, 2)), strict=True
    ):
        np.testing.assert_array_equal(one, two)


def test_decoupled_decay_passes_by_the_moments_and_leaves_biases_alone():
    # The first step of Adam is the sign of the gradient.
    found = updates(optimizer("adamw", 0.1, weight_decay=0.5))
    np.testing.assert_allclose(found["kernel"], [[-0.1 * (1 + 1.5), -0.1 * (1 - 2)]], rtol=1e-5)
    np.testing.assert_allclose(found["bias"], [-0.1], rtol=1e-5)
    # L2 goes through them: the sign of 1 + 1.5 and of 2 - 2 = 0.
    found = updates(optimizer("adam", 0.1, weight_decay=0.5))
    np.testing.assert_allclose(found["kernel"], [[-0.1, 0.0]], rtol=1e-5)


def test_l1_and_clipping_by_hand():
    found = updates(optimizer("sgd", 1.0, l1=0.25))
    np.testing.assert_allclose(found["kernel"], [[-1.25, -1.75]])
    np.testing.assert_allclose(found["bias"], [-2.0])
    # The gradient has length 3.
    np.testing.assert_allclose(
        updates(optimizer("sgd", 1.0, clip_norm=1.5))["kernel"], [[-0.5, -1.0]], rtol=1e-6
    )
    np.testing.assert_allclose(
        updates(optimizer("sgd", 1.0, clip_value=1.5))["kernel"], [[-1.0, -1.5]]
    )
    # Clipped before it decays.
    found = updates(optimizer("sgd", 1.0, clip_value=1.5, weight_decay=1.0))
    np.testing.assert_allclose(found["kernel"], [[-4.0, 2.5]])


def test_plateau_lowers_the_rate_where_the_mean_loss_stays():
    transform = optimizer("sgd", 1.0, plateau=reduce_on_plateau(patience=2, every=2, factor=0.5))
    state = transform.init(PARAMS)
    rates = []
    # Means 4, 3, 3, 3, 1: the two after the 3 do not improve.
    for value in (5, 3, 3, 3, 2, 4, 3, 3, 1, 1):
        found, state = transform.update(GRADS, state, PARAMS, value=jnp.float32(value))
        rates.append(-float(found["a"]["bias"][0]) / 2)
    assert rates == [1.0] * 7 + [0.5] * 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optimizer("adams", 0.1), "optimizer must be one of sgd, momentum"),
        (lambda: optimizer("sgd", 0.1, l1=-1.0), "l1 must be at least 0, got -1"),
        (lambda: reduce_on_plateau(patience=0, every=1), "patience and every must be"),
    ],
)
def test_wrong_names_and_numbers(call, message):
    with pytest.raises(ValueError, match=message):
        call()
