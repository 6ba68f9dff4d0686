"""SRCNN: three convolutions on an interpolated picture.

Image Super-Resolution Using Deep Convolutional Networks, Dong et al. 2014,
https://arxiv.org/abs/1501.00092, figure 2 and section 4.3.1: 9-1-5, 9-3-5 and 9-5-5.

Departs from the paper: kernels start from N(0, 2 / fan_in), not N(0, 0.001), for Adam; maps are
padded with zeros, so that a picture keeps its size. `padding="VALID"` is the paper's training.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.convolution import Conv
from jaxvision.models.variant import fields_of


class SRCNN(nn.Module):
    """Patch extraction, non-linear mapping and reconstruction.

    Attributes:
        kernels: Sides of the three filters.
        features: Channels of the first two layers.
        channels: Of the picture: 1, Y alone, or 3.
        padding: `SAME`, or `VALID` for maps without padding.
        dtype: Of the computation; parameters are float32.
    """

    kernels: tuple[int, int, int] = (9, 1, 5)
    features: tuple[int, int] = (64, 32)
    channels: int = 1
    padding: str = "SAME"
    dtype: jnp.dtype = jnp.float32

    @property
    def interpolates(self) -> bool:
        """Whether the network takes pictures that are interpolated to the size of the result."""
        return True

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps interpolated pictures [B, H, W, C] in [0, 1] to pictures [B, H, W, C] float32."""
        del train  # nothing is random or normalised
        conv = functools.partial(
            Conv, padding=self.padding, kernel_init=nn.initializers.he_normal(), dtype=self.dtype
        )
        first, second, third = self.kernels
        x = images.astype(self.dtype)
        x = nn.relu(conv(self.features[0], (first, first), name="extract")(x))
        x = nn.relu(conv(self.features[1], (second, second), name="map")(x))
        x = conv(self.channels, (third, third), name="reconstruct")(x)
        return x.astype(jnp.float32)


VARIANTS: dict[str, dict[str, Any]] = {
    "srcnn_915": dict(kernels=(9, 1, 5)),
    "srcnn_935": dict(kernels=(9, 3, 5)),
    "srcnn_955": dict(kernels=(9, 5, 5)),
}


def srcnn(variant: str, **overrides: Any) -> SRCNN:
    """Builds a network from a row of `VARIANTS`; keywords replace single fields."""
    return SRCNN(**(fields_of(variant, VARIANTS) | overrides))
