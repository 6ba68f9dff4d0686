import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxvision.train.optim import OPTIMIZERS, optimizer, reduce_on_plateau, sgd
from jaxvision.train.schedules import SCHEDULES, schedule

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
        (lambda: schedule("linear", 1.0, total_steps=9), "schedule must be one of constant"),
        (
            lambda: schedule("cosine", 1.0, total_steps=9, warm_up_steps=9),
            r"warm_up_steps must be in \[0, 9\)",
        ),
        (
            lambda: schedule("step", 1.0, total_steps=9, boundaries=(0.5, 0.2)),
            "boundaries must be ascending",
        ),
        (
            lambda: schedule("one_cycle", 1.0, total_steps=9, warm_up_steps=1),
            "one_cycle has its own warm-up",
        ),
    ],
)
def test_wrong_names_and_numbers(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("constant", {}, {0: 2.0, 99: 2.0}),
        ("step", {}, {0: 2.0, 49: 2.0, 50: 0.2, 74: 0.2, 75: 0.02, 99: 0.02}),
        ("step", dict(warm_up_steps=10), {0: 0.2, 9: 2.0, 10: 2.0, 49: 2.0, 50: 0.2, 75: 0.02}),
        ("exponential", dict(factor=0.5, period=10), {0: 2.0, 9: 2.0, 10: 1.0, 29: 0.5, 30: 0.25}),
        ("cosine", {}, {0: 2.0, 50: 1.0, 100: 0.0}),
        ("cosine", dict(final_ratio=0.5), {0: 2.0, 50: 1.5, 100: 1.0}),
        ("cosine", dict(warm_up_steps=20), {0: 0.1, 19: 2.0, 20: 2.0, 60: 1.0, 100: 0.0}),
        ("polynomial", dict(power=2.0), {0: 2.0, 50: 0.5, 100: 0.0}),
        ("inverse_sqrt", dict(warm_up_steps=25), {0: 0.08, 24: 2.0, 25: 2.0, 100: 1.0}),
        ("one_cycle", dict(rise=0.4), {0: 0.08, 20: 1.04, 40: 2.0, 70: 1.0, 100: 0.0}),
    ],
)
def test_schedules_by_hand(name, options, expected):
    rate = schedule(name, 2.0, total_steps=100, **options)
    for step, value in expected.items():
        np.testing.assert_allclose(rate(step), value, atol=1e-6, err_msg=str(step))
        np.testing.assert_allclose(rate(jnp.int32(step)), value, atol=1e-6)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_of_the_shortest_runs_are_finite(name):
    for steps in (1, 2, 3):
        rate = functools.partial(schedule, name, 1.0)(total_steps=steps)
        assert all(0 <= float(rate(i)) <= 1 + 1e-6 for i in range(steps + 1))
