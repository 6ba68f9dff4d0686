import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.layers.local_response_norm import local_response_norm


@pytest.mark.parametrize(("channels", "size"), [(8, 5), (3, 5), (6, 3), (1, 1)])
def test_divides_by_the_sum_of_squares_of_nearby_channels(channels, size):
    x = 10 * np.random.default_rng(0).standard_normal((2, 2, 3, channels)).astype(np.float32)
    y = local_response_norm(jnp.asarray(x), size=size, alpha=0.02, beta=0.6, k=1.5)
    for i in range(channels):
        first, last = max(0, i - size // 2), min(channels - 1, i + size // 2)
        total = np.square(x[..., first : last + 1]).sum(-1)
        np.testing.assert_allclose(y[..., i], x[..., i] / (1.5 + 0.02 * total) ** 0.6, rtol=1e-5)


def test_defaults_are_the_papers():
    x = jnp.full((1, 1, 1, 5), 100.0)
    y = local_response_norm(x)
    np.testing.assert_allclose(y[0, 0, 0, 2], 100 / (2 + 1e-4 * 5 * 100**2) ** 0.75, rtol=1e-5)
    assert local_response_norm(x.astype(jnp.bfloat16)).dtype == jnp.bfloat16


def test_window_must_have_a_centre():
    with pytest.raises(ValueError, match="size must be odd, got 4"):
        local_response_norm(jnp.ones((1, 1, 1, 3)), size=4)
