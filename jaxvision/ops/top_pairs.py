"""The best pairs of a box and a class."""

import jax
import jax.numpy as jnp


def top_pairs(scores: jax.Array, count: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Finds the best pairs of an anchor and a class of each image.

    Args:
        scores: Probabilities or logits [B, A, K].
        count: Pairs an image; at most A * K are there.

    Returns:
        Their scores [B, C], best first, anchors [B, C] int32 and classes [B, C] int32. Among equal
        scores the first anchor, and of it the first class, is taken.
    """
    batch, anchors, num_classes = scores.shape
    # The best pairs belong to the anchors whose best class is best: two short sorts instead of one
    # of all pairs, which are millions. Back in their order, so that of equal pairs the first is
    # taken as by one sort.
    _, index = jax.lax.top_k(scores.max(axis=-1), min(count, anchors))
    index = jnp.sort(index, axis=1)
    scores = jnp.take_along_axis(scores, index[..., None], axis=1).reshape(batch, -1)
    scores, pair = jax.lax.top_k(scores, min(count, scores.shape[1]))
    index = jnp.take_along_axis(index, pair // num_classes, axis=1)
    return scores, index, (pair % num_classes).astype(jnp.int32)
