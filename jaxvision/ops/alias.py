"""Draws from a fixed distribution in constant time: the alias method.

Walker 1977, An Efficient Method for Generating Discrete Random Variables with General
Distributions; the table is made as Vose 1991 does it.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class AliasTable(NamedTuple):
    """V columns of equal probability, each shared by at most two values.

    Attributes:
        share: Part of a column that is its own value's [V] float32, in [0, 1].
        other: Value of the rest [V] int32.
    """

    share: np.ndarray
    other: np.ndarray


def alias_table(weights: np.ndarray) -> AliasTable:
    """Makes the table of a distribution.

    Args:
        weights: Not negative and not all zero, in proportion to the probabilities [V].

    Raises:
        ValueError: If they are anything else.
    """
    weights = np.asarray(weights, np.float64)
    if not (weights.size and np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError("weights must be finite, not negative and not all zero")
    size = len(weights)
    share = weights / weights.sum() * size
    other = np.arange(size)
    small = np.flatnonzero(share < 1).tolist()
    large = np.flatnonzero(share >= 1).tolist()
    while small and large:
        under, over = small.pop(), large[-1]
        other[under] = over
        share[over] -= 1 - share[under]
        if share[over] < 1:
            small.append(large.pop())
    share[small + large] = 1.0  # what is left differs from 1 by rounding alone
    return AliasTable(share.astype(np.float32), other.astype(np.int32))


def draw(key: jax.Array, table: AliasTable, shape: tuple[int, ...]) -> jax.Array:
    """Draws values of a table with replacement, int32 of a shape."""
    column_key, share_key = jax.random.split(key)
    column = jax.random.randint(column_key, shape, 0, len(table.share))
    own = jax.random.uniform(share_key, shape) < jnp.asarray(table.share)[column]
    return jnp.where(own, column, jnp.asarray(table.other)[column])
