import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxvision.layers.spatial_pyramid_pooling import SpatialPyramidPooling


class Same(nn.Module):
    """Stands in for a convolution: hands its input on."""

    features: int
    kernel_size: int

    def __call__(self, x, *, train):
        return x


def test_pools_over_windows_of_5_9_and_13():
    x = jax.random.normal(jax.random.key(0), (1, 17, 15, 3))
    y = SpatialPyramidPooling(12, Same).apply({}, x, train=False)
    windows = [
        nn.max_pool(x, window_shape=(k, k), strides=(1, 1), padding="SAME") for k in (5, 9, 13)
    ]
    np.testing.assert_array_equal(y, jnp.concatenate([x, *windows], axis=-1))
