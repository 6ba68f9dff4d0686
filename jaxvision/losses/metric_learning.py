"""Losses on distances between embeddings: contrastive, and triplets with three ways of mining.

Contrastive: Hadsell et al. 2006, http://yann.lecun.com/exdb/publis/pdf/hadsell-chopra-lecun-06.pdf,
equation 4. Semi-hard triplets: FaceNet, Schroff et al. 2015, https://arxiv.org/abs/1503.03832,
equation 4. Batch-hard and batch-all: Hermans et al. 2017, https://arxiv.org/abs/1703.07737,
equations 5 and 6, with squared distances.
"""

import jax
import jax.numpy as jnp


def normalized(embeddings: jax.Array) -> jax.Array:
    """Divides vectors [..., D] by their lengths; zero vectors stay zero."""
    squares = jnp.square(embeddings).sum(axis=-1, keepdims=True)
    return embeddings * jax.lax.rsqrt(jnp.maximum(squares, 1e-12))


def squared_distances(first: jax.Array, second: jax.Array) -> jax.Array:
    """Computes the squared Euclidean distances [N, M] of vectors [N, D] and [M, D]."""
    # |a|^2 - 2ab + |b|^2 would lose digits where a and b are close.
    return jnp.square(first[:, None] - second[None]).sum(axis=-1)


def contrastive(
    first: jax.Array, second: jax.Array, same: jax.Array, *, margin: float = 1.0
) -> jax.Array:
    """Pulls pairs of one class together and pushes others apart, up to a margin.

    Args:
        first: Embeddings [N, D].
        second: The others of each pair [N, D].
        same: 1 where both are of one class, else 0 [N].
        margin: Distance from which pairs of two classes have no loss.

    Returns:
        Losses [N]: d^2 / 2 for one class, max(0, margin - d)^2 / 2 for two.
    """
    squares = jnp.square(first - second).sum(axis=-1)
    # The slope of a root at 0 is infinite.
    distance = jnp.sqrt(jnp.maximum(squares, 1e-12))
    apart = jnp.square(jnp.maximum(margin - distance, 0.0))
    return 0.5 * (same * squares + (1.0 - same) * apart)


def semi_hard_triplets(
    distances: jax.Array, labels: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Chooses a negative for each pair of one class: the nearest one beyond the positive.

    Where none is beyond, the farthest negative is taken.

    Args:
        distances: Squared distances [N, N].
        labels: Classes [N].

    Returns:
        The negative of each anchor and positive [N, N]; whether none is beyond [N, N]; and which
        pairs are triplets [N, N]: those of one class with a negative.
    """
    same = labels[:, None] == labels[None]
    pairs = same & ~jnp.eye(len(labels), dtype=bool)
    negative = ~same[:, None, :]
    beyond = negative & (distances[:, None, :] > distances[:, :, None])
    others = jnp.broadcast_to(distances[:, None, :], beyond.shape)
    nearest = jnp.where(beyond, others, jnp.inf).argmin(axis=-1)
    farthest = jnp.where(negative, others, -jnp.inf).argmax(axis=-1)
    fallback = ~beyond.any(axis=-1)
    return jnp.where(fallback, farthest, nearest), fallback, pairs & negative.any(axis=-1)


def semi_hard_loss(embeddings: jax.Array, labels: jax.Array, *, margin: float = 0.2) -> jax.Array:
    """Mean over all pairs of one class of max(0, margin + d(a, p) - d(a, n)), n semi-hard.

    Args:
        embeddings: [N, D], which are normalised here.
        labels: Classes [N].
        margin: Of the squared distances.

    Returns:
        The loss []; 0 without a pair.
    """
    x = normalized(embeddings)
    distances = squared_distances(x, x)
    negatives, _, pairs = semi_hard_triplets(distances, labels)
    far = jnp.take_along_axis(distances, negatives, axis=1)
    terms = jnp.maximum(margin + distances - far, 0.0)
    return _mean(terms, pairs)


def batch_hard_loss(embeddings: jax.Array, labels: jax.Array, *, margin: float = 0.2) -> jax.Array:
    """Mean over anchors of the triplet of the farthest positive and the nearest negative.

    Args:
        embeddings: [N, D], which are normalised here.
        labels: Classes [N].
        margin: Of the squared distances.

    Returns:
        The loss []; anchors without a positive or a negative do not count.
    """
    x = normalized(embeddings)
    distances = squared_distances(x, x)
    same = labels[:, None] == labels[None]
    positive = same & ~jnp.eye(len(labels), dtype=bool)
    farthest = jnp.where(positive, distances, 0.0).max(axis=1)
    # Distances of unit vectors are at most 4.
    nearest = jnp.where(same, 5.0, distances).min(axis=1)
    valid = positive.any(axis=1) & (~same).any(axis=1)
    return _mean(jnp.maximum(margin + farthest - nearest, 0.0), valid)


def batch_all_loss(
    embeddings: jax.Array, labels: jax.Array, *, margin: float = 0.2, nonzero: bool = False
) -> jax.Array:
    """Mean over all triplets.

    Args:
        embeddings: [N, D], which are normalised here.
        labels: Classes [N].
        margin: Of the squared distances.
        nonzero: Whether only triplets with a loss count.

    Returns:
        The loss []; 0 without a triplet.
    """
    x = normalized(embeddings)
    distances = squared_distances(x, x)
    same = labels[:, None] == labels[None]
    positive = same & ~jnp.eye(len(labels), dtype=bool)
    valid = positive[:, :, None] & ~same[:, None, :]
    terms = jnp.maximum(margin + distances[:, :, None] - distances[:, None, :], 0.0)
    return _mean(terms, valid & (terms > 0) if nonzero else valid)


def _mean(values: jax.Array, counted: jax.Array) -> jax.Array:
    return jnp.where(counted, values, 0.0).sum() / jnp.maximum(counted.sum(), 1)
