"""Pooling with indices and unpooling against a loop over windows, as PyTorch defines them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.ops.max_unpool import max_pool_with_indices, max_unpool


def pooled(x, window, ceil_mode):
    """Takes the first maximum of each window, rows first."""
    batch, height, width, channels = x.shape
    rows, columns = (-(-n // window) if ceil_mode else n // window for n in (height, width))
    values = np.zeros((batch, rows, columns, channels), x.dtype)
    indices = np.zeros(values.shape, np.int32)
    for b, i, j, c in np.ndindex(values.shape):
        best = None
        for y in range(i * window, min((i + 1) * window, height)):
            for z in range(j * window, min((j + 1) * window, width)):
                if best is None or x[b, y, z, c] > best:
                    best, indices[b, i, j, c] = x[b, y, z, c], y * width + z
        values[b, i, j, c] = best
    return values, indices


def unpooled(y, indices, size):
    flat = np.zeros((len(y), size[0] * size[1], y.shape[-1]), y.dtype)
    for b, i, j, c in np.ndindex(y.shape):
        flat[b, indices[b, i, j, c], c] = y[b, i, j, c]
    return flat.reshape(len(y), *size, -1)


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(("size", "window"), [((6, 8), 2), ((5, 7), 2), ((7, 8), 3)])
def test_equals_a_loop_with_ties_and_odd_sizes(size, window, ceil_mode):
    # Few different values, so that many windows have several maxima; negative ones, too.
    x = np.random.default_rng(0).integers(-3, 1, (2, *size, 3)).astype(np.float32)
    expected, places = pooled(x, window, ceil_mode)
    y = np.random.default_rng(1).standard_normal(expected.shape).astype(np.float32)

    @jax.jit
    def run(x, y):
        values, indices = max_pool_with_indices(x, window, ceil_mode=ceil_mode)
        return values, indices, max_unpool(y, indices, size, window)

    values, indices, back = run(x, y)
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(indices, places)
    np.testing.assert_array_equal(back, unpooled(y, places, size))


def test_gradients_go_to_the_first_maximum_and_come_from_it():
    x = jnp.array([[1.0, 1.0, 0.0], [1.0, 0.5, 2.0], [3.0, 3.0, 2.0]])[None, :, :, None]

    def pool(x):
        return max_pool_with_indices(x, ceil_mode=True)[0]

    weights = jnp.array([[1.0, 2.0], [3.0, 4.0]])[None, :, :, None]
    grad = jax.jit(jax.grad(lambda x: (pool(x) * weights).sum()))(x)
    expected = [[1.0, 0.0, 0.0], [0.0, 0.0, 2.0], [3.0, 0.0, 4.0]]
    np.testing.assert_array_equal(grad[0, :, :, 0], expected)

    @jax.jit
    def pulled(x, cotangent):
        _, indices = max_pool_with_indices(x, ceil_mode=True)
        _, pull = jax.vjp(lambda y: max_unpool(y, indices, (3, 3)), weights)
        return pull(cotangent)[0]

    cotangent = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)
    np.testing.assert_array_equal(pulled(x, cotangent)[0, :, :, 0], [[0, 5], [6, 8]])


def test_shapes_that_do_not_fit_are_errors():
    with pytest.raises(ValueError, match="at least 2 x 2, got 1 x 4"):
        max_pool_with_indices(jnp.zeros((1, 1, 4, 1)))
    with pytest.raises(ValueError, match="map of 8 x 8 pixels pooled by 2"):
        max_unpool(jnp.zeros((1, 2, 2, 1)), jnp.zeros((1, 2, 2, 1), jnp.int32), (8, 8))
