"""Self-ensembles: a function of the eight mirrored and turned pictures, turned back and joined.

Timofte et al. 2015, https://arxiv.org/abs/1511.02228, section 3.5.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def eighth(x: jax.Array, number: int) -> jax.Array:
    """Mirrors and turns pictures [B, H, W, C] in one of eight ways, 0 to 7; 0 changes nothing."""
    if number & 1:
        x = x[:, :, ::-1]
    if number & 2:
        x = x[:, ::-1]
    return x.swapaxes(1, 2) if number & 4 else x


def eighth_back(x: jax.Array, number: int) -> jax.Array:
    """Undoes `eighth`."""
    if number & 4:
        x = x.swapaxes(1, 2)
    if number & 2:
        x = x[:, ::-1]
    return x[:, :, ::-1] if number & 1 else x


def of_eight(
    function: Callable[[jax.Array], jax.Array], x: jax.Array, *, median: bool = False
) -> jax.Array:
    """Applies a function to the eight pictures that a picture becomes, and joins the results.

    Args:
        function: Maps pictures [B, H, W, C] to pictures [B, s * H, s * W, C'].
        x: Pictures [B, H, W, C].
        median: Whether the results' median is taken, in place of their mean.

    Returns:
        Pictures [B, s * H, s * W, C'].
    """
    found = jnp.stack([eighth_back(function(eighth(x, i)), i) for i in range(8)])
    return jnp.median(found, axis=0) if median else found.mean(axis=0)
