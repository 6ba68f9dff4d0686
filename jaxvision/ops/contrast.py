"""Brightness and contrast of single images taken out, before a network sees them."""

import jax
import jax.numpy as jnp


def min_max(images: jax.Array) -> jax.Array:
    """Stretches each image [B, ..., C] from its least to its largest value, to [0, 1].

    An image of one value becomes 0.
    """
    axes = tuple(range(1, images.ndim))
    low = images.min(axes, keepdims=True)
    spread = images.max(axes, keepdims=True) - low
    return (images - low) / jnp.where(spread > 0, spread, 1.0)


def contrast(images: jax.Array, *, added: float = 10 / 255**2) -> jax.Array:
    """Subtracts the mean of each image [B, ..., C] and divides by its standard deviation.

    Coates et al. 2011, https://proceedings.mlr.press/v15/coates11a.html, section 3.2.1.

    Args:
        images: In [0, 1].
        added: To the variance, so that noise is not enlarged where there is no contrast; the
            paper's 10 is for values up to 255.
    """
    axes = tuple(range(1, images.ndim))
    centred = images - images.mean(axes, keepdims=True)
    variance = jnp.square(centred).mean(axes, keepdims=True)
    return centred * jax.lax.rsqrt(variance + added)


# What may come before the mean and the standard deviation of a data set.
NORMALISATIONS = {"": lambda images: images, "min_max": min_max, "contrast": contrast}
