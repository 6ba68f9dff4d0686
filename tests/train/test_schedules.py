import functools

import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.train.schedules import SCHEDULES, noam, quadratic_warmup_cosine, schedule


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: schedule("linear", 1.0, total_steps=9), "schedule must be one of constant"),
        (
            lambda: schedule("cosine", 1.0, total_steps=9, warmup_steps=9),
            r"warmup_steps must be in \[0, 9\)",
        ),
        (
            lambda: schedule("step", 1.0, total_steps=9, boundaries=(0.5, 0.2)),
            "boundaries must be ascending",
        ),
        (
            lambda: schedule("one_cycle", 1.0, total_steps=9, warmup_steps=1),
            "one_cycle has its own warmup",
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
        ("step", dict(warmup_steps=10), {0: 0.2, 9: 2.0, 10: 2.0, 49: 2.0, 50: 0.2, 75: 0.02}),
        ("exponential", dict(factor=0.5, period=10), {0: 2.0, 9: 2.0, 10: 1.0, 29: 0.5, 30: 0.25}),
        ("cosine", {}, {0: 2.0, 50: 1.0, 100: 0.0}),
        ("cosine", dict(final_ratio=0.5), {0: 2.0, 50: 1.5, 100: 1.0}),
        ("cosine", dict(warmup_steps=20), {0: 0.1, 19: 2.0, 20: 2.0, 60: 1.0, 100: 0.0}),
        ("polynomial", dict(power=2.0), {0: 2.0, 50: 0.5, 100: 0.0}),
        ("inverse_sqrt", dict(warmup_steps=25), {0: 0.08, 24: 2.0, 25: 2.0, 100: 1.0}),
        # At the peak for four periods, as Zaremba et al. 2014 has it.
        ("exponential", dict(period=10, factor=0.5, hold=40), {0: 2, 39: 2, 40: 1, 49: 1, 50: 0.5}),
        (
            "triangular",
            dict(period=20, final_ratio=0.25),
            {0: 0.5, 5: 1.25, 10: 2.0, 15: 1.25, 20: 0.5, 30: 2.0},
        ),
        ("triangular2", dict(period=20), {0: 0.0, 10: 2.0, 20: 0.0, 30: 1.0, 35: 0.5, 50: 0.5}),
        ("exp_range", dict(period=20, factor=0.25), {0: 0.0, 10: 1.0, 20: 0.0, 30: 0.25}),
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


def test_schedule_of_yolox_by_hand():
    # 300 epochs of 10 steps: 50 of warmup, 150 at the floor, lr 0.01.
    schedule = quadratic_warmup_cosine(0.01, total_steps=3000, warmup_steps=50, final_steps=150)
    expected = {
        0: 0.0,
        25: 0.01 * 0.25,
        50: 0.01,
        51: 0.0005 + 0.00475 * (1 + np.cos(np.pi / 2800)),
        1450: 0.0005 + 0.00475,  # half of the cosine
        2850: 0.0005,
        2999: 0.0005,
    }
    for step, rate in expected.items():
        np.testing.assert_allclose(schedule(jnp.int32(step)), rate, rtol=1e-5, err_msg=str(step))


def test_schedule_without_warmup_starts_at_the_peak():
    schedule = quadratic_warmup_cosine(0.1, total_steps=10, warmup_steps=0, final_steps=0)
    np.testing.assert_allclose(schedule(jnp.int32(0)), 0.1, rtol=1e-6)


def test_schedule_of_the_transformer_by_hand():
    schedule = noam(512, 4000)
    np.testing.assert_allclose(schedule(jnp.int32(0)), 512**-0.5 * 4000**-1.5, rtol=1e-5)
    np.testing.assert_allclose(schedule(jnp.int32(1999)), 512**-0.5 * 2000 * 4000**-1.5, rtol=1e-5)
    np.testing.assert_allclose(schedule(jnp.int32(3999)), (512 * 4000) ** -0.5, rtol=1e-5)
    np.testing.assert_allclose(schedule(jnp.int32(15999)), (512 * 16000) ** -0.5, rtol=1e-5)
    twice = noam(512, 4000, factor=2.0)
    np.testing.assert_allclose(twice(jnp.int32(99)), 2 * schedule(jnp.int32(99)), rtol=1e-6)
    with pytest.raises(ValueError, match="warmup_steps must be at least 1, got 0"):
        noam(512, 0)
