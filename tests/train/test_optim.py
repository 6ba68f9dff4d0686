import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.train.ema import constant_decay, tail_average, warmup_decay
from jaxvision.train.optim import kernels, optimizer


def test_nesterov_by_hand_decays_kernels_alone():
    params = {"conv": {"kernel": jnp.float32([2.0])}, "norm": {"scale": jnp.float32([2.0])}}
    grads = {"conv": {"kernel": jnp.float32([1.0])}, "norm": {"scale": jnp.float32([1.0])}}
    nesterov = optimizer("nesterov", 0.1, momentum=0.9, weight_decay=0.5)
    state = nesterov.init(params)
    first, state = nesterov.update(grads, state, params)
    second, state = nesterov.update(grads, state, params)
    # Kernel: g = 1 + 0.5 * 2 = 2; v = 2, then 3.8; the step is g + 0.9 v.
    np.testing.assert_allclose(first["conv"]["kernel"], -0.1 * (2 + 0.9 * 2), rtol=1e-6)
    np.testing.assert_allclose(second["conv"]["kernel"], -0.1 * (2 + 0.9 * 3.8), rtol=1e-6)
    np.testing.assert_allclose(first["norm"]["scale"], -0.1 * 1.9, rtol=1e-6)


def test_mask_takes_kernels_only():
    params = {"a": {"kernel": 1, "bias": 2}, "b": {"scale": 3}}
    assert kernels(params) == {"a": {"kernel": True, "bias": False}, "b": {"scale": False}}


@pytest.mark.parametrize(
    ("updates", "decay"), [(1, 0.9998 * (1 - np.exp(-1 / 2000))), (10**6, 0.9998)]
)
def test_average_forgets_its_start(updates, decay):
    np.testing.assert_allclose(warmup_decay()(jnp.int32(updates)), decay, rtol=1e-4)
    assert constant_decay(0.5)(jnp.int32(updates)) == 0.5


def test_tail_average_is_the_mean_from_its_start_on():
    decay, average = tail_average(4), 100.0
    for update, state in enumerate([7.0, 5.0, 3.0, 2.0, 4.0, 9.0], start=1):
        share = float(decay(jnp.int32(update)))
        average = share * average + (1 - share) * state
        if update <= 4:
            assert average == state
    np.testing.assert_allclose(average, (2.0 + 4.0 + 9.0) / 3, rtol=1e-6)
