import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxvision.layers.max_pooling import max_over_windows

# Sides of the map, window, strides, pads.
CASES = {
    "pyramid": ((8, 7), (5, 5), (1, 1), ((2, 2), (2, 2))),
    "stem": ((9, 8), (3, 3), (2, 2), ((1, 1), (1, 1))),
    "halves": ((8, 7), (2, 2), (2, 2), ((0, 0), (0, 0))),
    "unequal": ((9, 10), (2, 3), (1, 2), ((0, 1), (2, 0))),
    "one pixel": ((1, 1), (2, 2), (2, 2), ((0, 1), (0, 1))),
}


@pytest.fixture(scope="module")
def results():
    """Maxima and gradients of every case, ours and flax's, of few different values."""
    rng = np.random.default_rng(0)
    maps = {case: rng.integers(0, 4, (2, *CASES[case][0], 3)).astype(np.float32) for case in CASES}

    def of(pool):
        def compute(maps):
            found = {}
            for case, (_, *options) in CASES.items():
                y, pull = jax.vjp(lambda x, options=options: pool(x, *options), maps[case])
                found[case] = (y, pull(jnp.cos(jnp.arange(y.size) / 2).reshape(y.shape))[0])
            return found

        return jax.jit(compute)(maps)

    def flax(x, window, strides, pads):
        return nn.max_pool(x, window_shape=window, strides=strides, padding=pads)

    return of(max_over_windows), of(flax)


@pytest.mark.parametrize("case", CASES)
def test_maxima_and_gradients_equal_those_of_flax_where_values_are_equal_too(case, results):
    (y, grad), (expected, expected_grad) = (found[case] for found in results)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_allclose(grad, expected_grad, atol=1e-6)


def stem(x):
    return max_over_windows(x, *CASES["stem"][1:])


def test_gradient_of_a_gradient():
    x = jax.random.normal(jax.random.key(0), (1, 6, 6, 2))

    def penalty(x):
        return jnp.square(jax.grad(lambda x: (stem(x) ** 3).sum())(x)).sum()

    # A pixel that is the maximum of n windows: d/dx (3 n x^2)^2.
    counts = jax.jit(jax.grad(lambda x: stem(x).sum()))(x)
    np.testing.assert_allclose(jax.jit(jax.grad(penalty))(x), 36 * counts**2 * x**3, rtol=1e-5)


def test_gpus_and_tpus_get_the_pooling_of_xla():
    x = jax.ShapeDtypeStruct((2, 8, 8, 3), jnp.float32)
    gradient = jax.jit(jax.grad(lambda x: stem(x).sum())).trace(x)
    for platform in ("cuda", "tpu"):
        assert "select_and_scatter" in gradient.lower(lowering_platforms=(platform,)).as_text()
    assert "select_and_scatter" not in gradient.lower(lowering_platforms=("cpu",)).as_text()
