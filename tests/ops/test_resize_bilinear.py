import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.ops.resize import resize_bilinear


@pytest.mark.parametrize("size", [(8, 10), (9, 7), (4, 5)])
def test_equals_jax_without_antialiasing_and_keeps_edges(size):
    x = jnp.asarray(np.random.default_rng(0).standard_normal((2, 4, 5, 3)), jnp.float32)
    expected = jax.image.resize(x, (2, *size, 3), "bilinear", antialias=False)
    np.testing.assert_allclose(resize_bilinear(x, size), expected, rtol=1e-5, atol=1e-6)


def test_aligned_corners_stay_where_they_are():
    x = jnp.arange(3.0)[None, None, :, None]
    found = resize_bilinear(x, (1, 6), align_corners=True)[0, 0, :, 0]
    np.testing.assert_allclose(found, [0, 0.4, 0.8, 1.2, 1.6, 2], rtol=1e-6)
    assert resize_bilinear(jnp.ones((1, 1, 1, 1)), (2, 2), align_corners=True).min() == 1
