"""The discriminator of SRGAN and ESRGAN.

Ledig et al. 2016, https://arxiv.org/abs/1609.04802, figure 4. Equal to Lornatang/SRGAN-PyTorch's
for 96 x 96 pixels.

Departs from the paper: as there, convolutions before a normalisation have no biases, and the result
is a logit.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.conv import ConvNormAct
from jaxvision.layers.convolution import Conv
from jaxvision.models.variant import fields_of


def _leaky(x: jax.Array) -> jax.Array:
    return nn.leaky_relu(x, 0.2)


class Discriminator(nn.Module):
    """Eight convolutions, four of stride 2, and two dense layers.

    Attributes:
        features: Channels of the first pair of convolutions; the others have 2, 4, 8 times as many.
        hidden: Units of the first dense layer.
        dtype: Of the computation; parameters and statistics are float32.
    """

    features: int = 64
    hidden: int = 1024
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps pictures [B, H, W, 3] in [0, 1] to logits of being real [B] float32."""
        he = nn.initializers.he_normal()
        norm_conv = functools.partial(ConvNormAct, act=_leaky, kernel_init=he, dtype=self.dtype)
        x = images.astype(self.dtype)
        conv = Conv(
            self.features, (3, 3), padding=1, kernel_init=he, dtype=self.dtype, name="stage1_conv1"
        )
        x = _leaky(conv(x))
        x = norm_conv(self.features, stride=2, name="stage1_conv2")(x, train=train)
        for stage in range(2, 5):
            width = self.features * 2 ** (stage - 1)
            x = norm_conv(width, name=f"stage{stage}_conv1")(x, train=train)
            x = norm_conv(width, stride=2, name=f"stage{stage}_conv2")(x, train=train)
        x = x.reshape(x.shape[0], -1)
        x = _leaky(nn.Dense(self.hidden, dtype=self.dtype, name="hidden")(x))
        return nn.Dense(1, dtype=jnp.float32, name="head")(x)[:, 0]


VARIANTS: dict[str, dict[str, Any]] = {
    "srgan_discriminator": dict(),
    # Ours, for a CPU.
    "srgan_discriminator_small": dict(features=16, hidden=64),
}


def discriminator(variant: str, **overrides: Any) -> Discriminator:
    """Builds a network from a row of `VARIANTS`; keywords replace single fields."""
    return Discriminator(**(fields_of(variant, VARIANTS) | overrides))
