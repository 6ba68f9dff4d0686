import jax
import jax.numpy as jnp
import numpy as np
from compiled import apply, init

from jaxvision.layers.batch_norm import BatchNorm, FrozenBatchNorm


def test_running_statistics_take_the_unbiased_variance():
    x = jax.random.normal(jax.random.key(0), (2, 3, 2, 5)) * 3 + 1
    norm = BatchNorm(momentum=0.97, epsilon=1e-3)
    variables = init(norm, jax.random.key(0), x, train=False)
    _, updated = apply(norm, variables, x, train=True, mutable=["batch_stats"])
    flat = np.asarray(x).reshape(-1, 5)
    stats = updated["batch_stats"]
    np.testing.assert_allclose(stats["mean"], 0.03 * flat.mean(0), rtol=1e-5)
    np.testing.assert_allclose(stats["var"], 0.97 + 0.03 * flat.var(0, ddof=1), rtol=1e-5)


def test_training_normalises_by_the_biased_statistics_of_the_batch():
    x = jax.random.normal(jax.random.key(0), (4, 3, 3, 2)) * 3 + 1
    norm = BatchNorm(epsilon=1e-3)
    variables = init(norm, jax.random.key(0), x, train=False)
    y, _ = apply(norm, variables, x, train=True, mutable=["batch_stats"])
    flat = np.asarray(x).reshape(-1, 2)
    expected = (flat - flat.mean(0)) / np.sqrt(flat.var(0) + 1e-3)
    np.testing.assert_allclose(np.asarray(y).reshape(-1, 2), expected, atol=1e-5)


def test_evaluation_uses_the_running_statistics():
    x = jnp.full((1, 1, 1, 2), 5.0)
    variables = {
        "params": {"scale": jnp.float32([2, 1]), "bias": jnp.float32([0, 1])},
        "batch_stats": {"mean": jnp.float32([1, 5]), "var": jnp.float32([4, 1])},
    }
    y = BatchNorm(epsilon=0.0).apply(variables, x, train=False)
    np.testing.assert_allclose(y[0, 0, 0], [4, 1], rtol=1e-6)


def test_one_value_a_channel_is_finite():
    x = jnp.ones((1, 1, 1, 2))
    norm = BatchNorm()
    variables = init(norm, jax.random.key(0), x, train=False)
    y, updated = apply(norm, variables, x, train=True, mutable=["batch_stats"])
    assert np.isfinite(y).all()
    assert np.isfinite(updated["batch_stats"]["var"]).all()


def test_statistics_stay_float32_when_it_computes_in_bfloat16():
    x = jnp.ones((2, 2, 2, 3), jnp.bfloat16)
    norm = BatchNorm(dtype=jnp.bfloat16)
    variables = init(norm, jax.random.key(0), x, train=False)
    y, updated = apply(norm, variables, x, train=True, mutable=["batch_stats"])
    assert y.dtype == jnp.bfloat16
    assert {v.dtype for v in jax.tree.leaves((variables, updated))} == {jnp.dtype("float32")}


def test_frozen_norm_uses_its_statistics_in_training_and_keeps_them():
    x = jax.random.normal(jax.random.key(0), (2, 3, 2, 2)) * 3 + 1
    scale, bias = np.float32([2, 1]), np.float32([0, 1])
    mean, var = np.float32([1, 5]), np.float32([4, 0.25])
    variables = {"batch_stats": dict(scale=scale, bias=bias, mean=mean, var=var)}
    for epsilon in (0.0, 1.0):
        norm = FrozenBatchNorm(epsilon=epsilon)
        y, updated = apply(norm, variables, x, train=True, mutable=["batch_stats"])
        expected = (np.asarray(x) - mean) / np.sqrt(var + epsilon) * scale + bias
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
        jax.tree.map(np.testing.assert_array_equal, updated, variables)


def test_frozen_norm_starts_as_the_identity_without_parameters():
    x = jnp.ones((1, 2, 2, 3))
    y, variables = FrozenBatchNorm(epsilon=0.0).init_with_output(jax.random.key(0), x, train=True)
    np.testing.assert_array_equal(y, x)
    assert variables.keys() == {"batch_stats"}
    assert variables["batch_stats"].keys() == {"scale", "bias", "mean", "var"}
