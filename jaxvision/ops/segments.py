"""Means and maxima over groups of rows, where some groups may be empty."""

import jax
import jax.numpy as jnp


def segment_mean(rows: jax.Array, groups: jax.Array, count: int) -> jax.Array:
    """Computes the mean of the rows of each group; 0 for a group without rows.

    Args:
        rows: [E, C].
        groups: Group of each row, in [0, count) [E].
        count: Number of groups.

    Returns:
        Means [count, C].
    """
    total = jax.ops.segment_sum(rows, groups, count)
    sizes = jax.ops.segment_sum(jnp.ones(len(groups), rows.dtype), groups, count)
    return total / jnp.maximum(sizes, 1)[:, None]


def segment_max(rows: jax.Array, groups: jax.Array, count: int) -> jax.Array:
    """Computes the maximum of the rows of each group; 0 for a group without rows.

    The arguments and the result are those of `segment_mean`.
    """
    found = jax.ops.segment_max(rows, groups, count)
    return jnp.where(jnp.isneginf(found), 0, found)
