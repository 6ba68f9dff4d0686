"""Generative Adversarial Networks, Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661.

Section 5: a generator of ReLUs and sigmoids, a discriminator of maxout units with dropout. The
paper states no widths; these are those of 28 x 28 pixels in the authors' configuration.

Departs from the paper: images are in [-1, 1], so that the last sigmoid is a hyperbolic tangent of
half its input; the discriminator gives a logit, the sigmoid is in the loss.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.activations import maxout
from jaxvision.models.variant import fields_of


class GANGenerator(nn.Module):
    """Dense layers from noise to an image.

    Attributes:
        size: Height and width of the images in pixels.
        channels: Of the images.
        widths: Units of the hidden layers.
        latent: Numbers that an image is made from.
        dtype: Of the computation; parameters are float32.
    """

    size: int = 28
    channels: int = 1
    widths: tuple[int, ...] = (1200, 1200)
    latent: int = 100
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, noise: jax.Array, *, train: bool) -> jax.Array:
        """Maps noise [B, latent] to images [B, size, size, channels] in [-1, 1], float32."""
        del train
        x, init = noise.astype(self.dtype), nn.initializers.he_normal()
        for i, width in enumerate(self.widths, start=1):
            x = nn.relu(nn.Dense(width, kernel_init=init, dtype=self.dtype, name=f"hidden{i}")(x))
        shape = (self.size, self.size, self.channels)
        x = nn.Dense(math.prod(shape), dtype=self.dtype, name="head")(x).astype(jnp.float32)
        return jnp.tanh(x / 2).reshape(-1, *shape)


class GANDiscriminator(nn.Module):
    """Maxout layers from an image to a logit.

    Attributes:
        size: Height and width of the images in pixels.
        widths: Units of the hidden layers.
        pieces: Affine maps of which each unit is the maximum.
        input_dropout: Probability of zeroing a pixel in training.
        dropout: Probability of zeroing a hidden unit in training.
        dtype: Of the computation; parameters are float32.
    """

    size: int = 28
    widths: tuple[int, ...] = (240, 240)
    pieces: int = 5
    input_dropout: float = 0.2
    dropout: float = 0.5
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps images [B, size, size, C] in [-1, 1] to logits [B] in float32."""
        x = images.astype(self.dtype).reshape(len(images), -1)
        x = nn.Dropout(self.input_dropout, deterministic=not train)(x)
        for i, width in enumerate(self.widths, start=1):
            x = nn.Dense(width * self.pieces, dtype=self.dtype, name=f"hidden{i}")(x)
            x = maxout(x, self.pieces)
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(1, dtype=self.dtype, name="head")(x).astype(jnp.float32)[:, 0]


GENERATORS: dict[str, dict[str, Any]] = {"gan_generator": dict()}
DISCRIMINATORS: dict[str, dict[str, Any]] = {"gan_discriminator": dict()}


def gan_generator(variant: str = "gan_generator", **overrides: Any) -> GANGenerator:
    """Builds a network from a row of `GENERATORS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant.
    """
    return GANGenerator(**(fields_of(variant, GENERATORS) | overrides))


def gan_discriminator(variant: str = "gan_discriminator", **overrides: Any) -> GANDiscriminator:
    """Builds a network from a row of `DISCRIMINATORS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant.
    """
    return GANDiscriminator(**(fields_of(variant, DISCRIMINATORS) | overrides))
