"""Deep convolutional GANs, Radford et al. 2015, https://arxiv.org/abs/1511.06434.

Section 3 and figure 1; equal to the networks of https://github.com/pytorch/examples (dcgan) at 64
pixels. Those of 32 pixels have one stage less; `small` ones are for grey images on CPUs.

Departs from the paper: the discriminator gives a logit; the sigmoid is in the loss.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv_transpose import ConvTranspose
from jaxvision.layers.convolution import Conv
from jaxvision.models.variant import fields_of

# "All weights were initialized from a zero-centered Normal distribution with deviation 0.02."
_INIT = nn.initializers.normal(0.02)


def _near_one(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    return 1.0 + 0.02 * jax.random.normal(key, shape, dtype)


_SCALE_INIT: Callable[..., jax.Array] = _near_one


def _norm(dtype: jnp.dtype, name: str) -> BatchNorm:
    return BatchNorm(scale_init=_SCALE_INIT, dtype=dtype, name=name)


class DCGANGenerator(nn.Module):
    """Transposed convolutions from noise to an image, each of which doubles the size.

    Attributes:
        size: Height and width of the images in pixels, 8 or more and a power of 2.
        channels: Of the images.
        width: Channels before the last layer; twice as many in each stage before.
        latent: Numbers that an image is made from.
        dtype: Of the computation; parameters and statistics are float32.
    """

    size: int = 64
    channels: int = 3
    width: int = 64
    latent: int = 100
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, noise: jax.Array, *, train: bool) -> jax.Array:
        """Maps noise [B, latent] to images [B, size, size, channels] in [-1, 1], float32."""
        count = stages(self.size)
        x = noise[:, None, None].astype(self.dtype)
        for stage in range(1, count + 1):
            features = self.width * 2 ** (count - stage)
            x = self._enlarge(features, first=stage == 1, name=f"stage{stage}")(x)
            x = nn.relu(_norm(self.dtype, f"norm{stage}")(x, train=train))
        x = self._enlarge(self.channels, first=False, name="head")(x)
        return jnp.tanh(x.astype(jnp.float32))

    def _enlarge(self, features: int, *, first: bool, name: str) -> ConvTranspose:
        return ConvTranspose(
            features,
            kernel_size=4,
            stride=1 if first else 2,
            padding=0 if first else 1,
            use_bias=False,
            kernel_init=_INIT,
            dtype=self.dtype,
            name=name,
        )


class DCGANDiscriminator(nn.Module):
    """Strided convolutions with leaky ReLUs from an image to a logit.

    Attributes:
        size: Height and width of the images in pixels, 8 or more and a power of 2.
        width: Channels behind the first layer; twice as many in each stage after.
        dtype: Of the computation; parameters and statistics are float32.
    """

    size: int = 64
    width: int = 64
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps images [B, size, size, C] in [-1, 1] to logits [B] in float32.

        Raises:
            ValueError: If the images are of another size.
        """
        if images.shape[1:3] != (self.size, self.size):
            raise ValueError(
                f"images must be {self.size} x {self.size} pixels, got "
                f"{images.shape[1]} x {images.shape[2]}"
            )
        x = images.astype(self.dtype)
        for stage in range(1, stages(self.size) + 1):
            x = self._conv(self.width * 2 ** (stage - 1), f"stage{stage}")(x)
            if stage > 1:
                x = _norm(self.dtype, f"norm{stage}")(x, train=train)
            x = nn.leaky_relu(x, 0.2)
        x = self._conv(1, "head", stride=1, padding=0)(x)
        return x.astype(jnp.float32).reshape(len(x))

    def _conv(self, features: int, name: str, *, stride: int = 2, padding: int = 1) -> Conv:
        return Conv(
            features,
            (4, 4),
            strides=(stride, stride),
            padding=((padding, padding),) * 2,
            use_bias=False,
            kernel_init=_INIT,
            dtype=self.dtype,
            name=name,
        )


def stages(size: int) -> int:
    """Returns how often an image of 4 x 4 pixels is doubled to reach a size."""
    count = size.bit_length() - 3
    if count < 1 or size != 4 * 2**count:
        raise ValueError(f"size must be 8, 16, 32, 64 or a higher power of 2, got {size}")
    return count


GENERATORS: dict[str, dict[str, Any]] = {
    "dcgan_generator": dict(),
    "dcgan_generator_32": dict(size=32),
    "dcgan_generator_small": dict(size=32, channels=1, width=32),
}
DISCRIMINATORS: dict[str, dict[str, Any]] = {
    "dcgan_discriminator": dict(),
    "dcgan_discriminator_32": dict(size=32),
    "dcgan_discriminator_small": dict(size=32, width=32),
}


def dcgan_generator(variant: str = "dcgan_generator", **overrides: Any) -> DCGANGenerator:
    """Builds a network from a row of `GENERATORS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant.
    """
    return DCGANGenerator(**(fields_of(variant, GENERATORS) | overrides))


def dcgan_discriminator(
    variant: str = "dcgan_discriminator", **overrides: Any
) -> DCGANDiscriminator:
    """Builds a network from a row of `DISCRIMINATORS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant.
    """
    return DCGANDiscriminator(**(fields_of(variant, DISCRIMINATORS) | overrides))
