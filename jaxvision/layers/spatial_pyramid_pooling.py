"""Spatial pyramid pooling inside a detector's backbone.

He et al. 2014, https://arxiv.org/abs/1406.4729, in the form of YOLOv3-SPP: max pooling over windows
of several sizes at stride 1, concatenated with its input.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.pooling import max_pool


class SpatialPyramidPooling(nn.Module):
    """Concatenates features with their maxima over 5 x 5, 9 x 9 and 13 x 13 windows.

    Attributes:
        features: Output channels.
        conv: Factory of the convolution blocks, called with (features, kernel_size, name=...).
    """

    features: int
    conv: Callable[..., nn.Module]

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, H, W, features]."""
        x = self.conv(x.shape[-1] // 2, 1, name="reduce")(x, train=train)
        pyramid = [x]
        for _ in range(3):
            # A 5 x 5 maximum of a 5 x 5 maximum is a 9 x 9 maximum, and so on: 75 comparisons
            # a pixel instead of 275, and a backward pass over small windows only.
            x = max_pool(x, window=5, stride=1, padding=2)
            pyramid.append(x)
        x = jnp.concatenate(pyramid, axis=-1)
        return self.conv(self.features, 1, name="expand")(x, train=train)
