"""Losses between pictures, pixel by pixel."""

import jax
import jax.numpy as jnp

NAMES = ("l1", "l2", "charbonnier")


def pixel_loss(name: str, one: jax.Array, other: jax.Array) -> jax.Array:
    """Computes the mean over all pixels and channels.

    Args:
        name: `l1`, `l2` (squared), or `charbonnier`, sqrt(d^2 + 1e-6), an l1 that is smooth at 0
            (Lai et al. 2017, https://arxiv.org/abs/1704.03915).
        one: Pictures [B, H, W, C] in [0, 1].
        other: The same.

    Raises:
        ValueError: If there is no such loss.
    """
    error = one.astype(jnp.float32) - other.astype(jnp.float32)
    if name == "l1":
        return jnp.abs(error).mean()
    if name == "l2":
        return jnp.square(error).mean()
    if name == "charbonnier":
        return jnp.sqrt(jnp.square(error) + 1e-6).mean()
    raise ValueError(f"loss.name must be one of {', '.join(NAMES)}, got {name}")
