import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.layers.drop_path import DropPath, linear_rates


def test_whole_examples_are_dropped_and_the_others_scaled_up():
    y = jnp.ones((400, 2, 3, 4))
    dropped = DropPath(0.25).apply({}, y, train=True, rngs={"dropout": jax.random.key(0)})
    by_example = np.asarray(dropped).reshape(400, -1)
    assert (by_example == by_example[:, :1]).all()
    np.testing.assert_allclose(np.unique(by_example), [0, 4 / 3], rtol=1e-6)
    assert 0.15 < (by_example[:, 0] == 0).mean() < 0.35


def test_evaluation_keeps_the_branch():
    y = jnp.ones((2, 5))
    np.testing.assert_array_equal(DropPath(0.9).apply({}, y, train=False), y)


def test_rates_grow_to_the_last():
    np.testing.assert_allclose(linear_rates(0.2, 4), [0.05, 0.1, 0.15, 0.2])
    np.testing.assert_allclose(linear_rates(0.2, 5, from_zero=True), [0, 0.05, 0.1, 0.15, 0.2])
    assert linear_rates(0.2, 1, from_zero=True) == (0,)
