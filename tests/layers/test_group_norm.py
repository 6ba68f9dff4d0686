import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import init
from flax import linen as nn

from jaxvision.layers.group_norm import GroupNorm, InstanceNorm

X = np.random.default_rng(0).standard_normal((2, 3, 4, 6), np.float32) * 3 + 5
SCALE = np.arange(1, 7, dtype=np.float32)
BIAS = np.arange(6, dtype=np.float32)[::-1].copy()
VARIABLES = {"params": {"scale": SCALE, "bias": BIAS}}


def brute_force(x, groups, epsilon):
    """Normalises each group of each example in a loop."""
    y = np.empty_like(x)
    size = x.shape[-1] // groups
    for b in range(len(x)):
        for g in range(groups):
            values = x[b, :, :, g * size : (g + 1) * size].astype(np.float64)
            normalised = (values - values.mean()) / np.sqrt(values.var() + epsilon)
            y[b, :, :, g * size : (g + 1) * size] = normalised
    return y


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
@pytest.mark.parametrize("train", [False, True])
def test_groups_are_normalised_apart(groups, train):
    y = GroupNorm(groups, epsilon=0.1).apply(VARIABLES, X, train=train)
    expected = brute_force(X, groups, 0.1) * SCALE + BIAS
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


def test_instances_are_normalised_channel_by_channel():
    expected = brute_force(X, 6, 1e-5)
    norm = InstanceNorm()
    assert init(norm, jax.random.key(0), X, train=True) == {}
    np.testing.assert_allclose(norm.apply({}, X, train=True), expected, rtol=1e-4, atol=1e-4)
    y = InstanceNorm(affine=True).apply(VARIABLES, X, train=False)
    np.testing.assert_allclose(y, expected * SCALE + BIAS, rtol=1e-4, atol=1e-4)


def test_a_mean_far_from_zero_costs_no_digits():
    y = GroupNorm(2).apply(VARIABLES, X + 10_000, train=False)
    expected = brute_force(X + 10_000, 2, 1e-5) * SCALE + BIAS
    np.testing.assert_allclose(y, expected, atol=2e-2)


@pytest.mark.parametrize("norm", [GroupNorm, InstanceNorm])
def test_output_has_the_dtype_that_is_asked_for_and_parameters_float32(norm):
    x = jnp.asarray(np.tile(X, 16), jnp.bfloat16)
    y, variables = norm(dtype=jnp.bfloat16).init_with_output(jax.random.key(0), x, train=False)
    assert y.dtype == jnp.bfloat16
    assert all(v.dtype == jnp.float32 for v in jax.tree.leaves(variables))


def test_what_cannot_be_normalised_is_an_error():
    with pytest.raises(ValueError, match="multiple of the 4 groups, got 6"):
        GroupNorm(4).init(jax.random.key(0), X, train=False)
    with pytest.raises(ValueError, match=r"more than one pixel.*\(2, 1, 1, 6\)"):
        InstanceNorm().init(jax.random.key(0), X[:, :1, :1], train=False)
    with pytest.raises(ValueError, match="scale_init needs affine=True"):
        InstanceNorm(scale_init=nn.initializers.zeros).init(jax.random.key(0), X, train=False)
