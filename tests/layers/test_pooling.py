import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.layers.pooling import adaptive_avg_pool, adaptive_max_pool, avg_pool, max_pool


def windows(side, window, stride, padding, ceil_mode):
    """Pixels of each window along one axis, as PyTorch defines it."""
    count = (side + 2 * padding - window) / stride + 1
    count = int(np.ceil(count) if ceil_mode else np.floor(count))
    if ceil_mode and (count - 1) * stride >= side + padding:
        count -= 1
    starts = [i * stride - padding for i in range(count)]
    return [slice(max(s, 0), min(s + window, side)) for s in starts]


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(
    ("height", "width", "window", "stride", "padding"),
    [
        (7, 8, 3, 2, 0),
        (7, 8, 3, 2, 1),
        (8, 5, 2, 2, 0),
        (9, 10, 2, 3, 0),
        (5, 6, 3, 1, 1),
        (6, 4, 2, 4, 1),
    ],
)
@pytest.mark.parametrize(("pool", "reduce"), [(max_pool, np.max), (avg_pool, np.mean)])
def test_windows_are_pytorchs(pool, reduce, height, width, window, stride, padding, ceil_mode):
    x = np.random.default_rng(0).standard_normal((2, height, width, 3)).astype(np.float32)
    y = jax.jit(lambda x: pool(x, window, stride, padding, ceil_mode))(x)
    rows = windows(height, window, stride, padding, ceil_mode)
    columns = windows(width, window, stride, padding, ceil_mode)
    expected = np.stack(
        [np.stack([reduce(x[:, r, c], axis=(1, 2)) for c in columns], 1) for r in rows], 1
    )
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(6, 12), (5, 7), (13, 2), (1, 1)])
def test_adaptive_bins_cover_the_map_as_pytorchs_do(height, width):
    x = np.random.default_rng(0).standard_normal((2, height, width, 3)).astype(np.float32)
    found = jax.jit(lambda x: (adaptive_avg_pool(x, 6, 4), adaptive_max_pool(x, 6, 4)))(x)
    y, maxima = map(np.asarray, found)
    for i in range(6):
        for j in range(4):
            rows = slice(int(np.floor(i * height / 6)), int(np.ceil((i + 1) * height / 6)))
            columns = slice(int(np.floor(j * width / 4)), int(np.ceil((j + 1) * width / 4)))
            expected = x[:, rows, columns].mean((1, 2))
            np.testing.assert_allclose(y[:, i, j], expected, rtol=1e-4, atol=1e-6)
            np.testing.assert_array_equal(maxima[:, i, j], x[:, rows, columns].max((1, 2)))


def test_gradient_goes_to_the_maximum_at_the_edge():
    x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    grad = jax.jit(jax.grad(lambda x: max_pool(x, 3, 2, ceil_mode=True).sum()))(x)
    np.testing.assert_array_equal(
        grad[0, :, :, 0], [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
    )


def test_means_keep_the_dtype():
    x = jnp.ones((1, 5, 5, 2), jnp.bfloat16)
    assert avg_pool(x, 3, 2).dtype == adaptive_avg_pool(x, 2, 3).dtype == jnp.bfloat16
