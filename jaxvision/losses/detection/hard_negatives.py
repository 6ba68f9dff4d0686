"""Hard negative mining: of the background, the predictions with the highest losses count.

SSD, Liu et al. 2015, https://arxiv.org/abs/1512.02325, section 2.2.
"""

import jax
import jax.numpy as jnp


def hardest(losses: jax.Array, background: jax.Array, count: jax.Array) -> jax.Array:
    """Marks the background with the highest losses, in each image.

    Args:
        losses: Of each prediction [B, A]; they get no gradient.
        background: Which predictions may be taken [B, A] bool.
        count: How many are taken at most [B, 1].

    Returns:
        [B, A] bool.
    """
    losses = jnp.where(background, jax.lax.stop_gradient(losses), -jnp.inf)
    rank = jnp.argsort(jnp.argsort(-losses, axis=1), axis=1)
    return background & (rank < count)
