"""The network of ZSSR, which is trained on a single picture.

"Zero-Shot" Super-Resolution using Deep Internal Learning, Shocher et al. 2017,
https://arxiv.org/abs/1712.06087, section 3.1: eight layers of 64 channels that learn what is to be
added to an interpolated picture.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.convolution import Conv
from jaxvision.models.variant import fields_of


class ZSSR(nn.Module):
    """Convolutions without biases on an interpolated picture, which is added to their result.

    Attributes:
        depth: Convolutions.
        features: Channels.
        channels: Of the picture.
        dtype: Of the computation; parameters are float32.
    """

    depth: int = 8
    features: int = 64
    channels: int = 3
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
            Conv,
            kernel_size=(3, 3),
            padding="SAME",
            use_bias=False,
            kernel_init=nn.initializers.he_normal(),
            dtype=self.dtype,
        )
        x = images.astype(self.dtype)
        for i in range(1, self.depth):
            x = nn.relu(conv(self.features, name=f"conv{i}")(x))
        # A small last layer: the network begins as the interpolation.
        last = nn.initializers.variance_scaling(0.01, "fan_in", "normal")
        x = conv(self.channels, kernel_init=last, name=f"conv{self.depth}")(x)
        return images.astype(jnp.float32) + x.astype(jnp.float32)


VARIANTS: dict[str, dict[str, Any]] = {
    "zssr": dict(),
    # Ours, for a CPU.
    "zssr_small": dict(depth=6, features=32),
}


def zssr(variant: str, **overrides: Any) -> ZSSR:
    """Builds a network from a row of `VARIANTS`; keywords replace single fields."""
    return ZSSR(**(fields_of(variant, VARIANTS) | overrides))
