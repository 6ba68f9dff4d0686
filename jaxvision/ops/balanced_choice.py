"""A random choice of examples of two kinds, with static shapes."""

import jax
import jax.numpy as jnp


def balanced_choice(
    positive: jax.Array, negative: jax.Array, key: jax.Array, *, count: int, share: float
) -> tuple[jax.Array, jax.Array]:
    """Draws positive examples up to a share of all, and negative ones for the rest.

    Args:
        positive: Which of A examples are positive [A] bool.
        negative: Which are negative [A] bool.
        key: Of the draw.
        count: Examples to draw, S; A if that is less.
        share: Of the positive ones, at most, in [0, 1]. Negative ones take the place of those that
            lack.

    Returns:
        Indices [S] int32 in ascending order and which of them count [S] bool: the first ones. There
        are fewer than S where the negative ones do not suffice.
    """
    total = len(positive)
    count = min(count, total)
    limit = min(int(share * count), total) if count < total else total
    random = jax.random.uniform(key, (total,))

    def draw(mask: jax.Array, most: int) -> tuple[jax.Array, jax.Array]:
        value, index = jax.lax.top_k(jnp.where(mask, random, -1.0), most)
        return index, value >= 0

    first, is_positive = draw(positive, limit)
    second, is_negative = draw(negative, count)
    is_negative &= jnp.arange(count) < count - is_positive.sum()
    index = jnp.concatenate([first, second]).astype(jnp.int32)
    drawn = jnp.concatenate([is_positive, is_negative])
    # Those that do not count come last.
    index = jnp.sort(jnp.where(drawn, index, total))[:count]
    return jnp.minimum(index, total - 1), index < total
