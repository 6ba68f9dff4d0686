"""Classes of queries by a few labelled supports, from embeddings.

Prototypical Networks, Snell et al. 2017, https://arxiv.org/abs/1703.05175, equations 1 and 2;
Matching Networks, Vinyals et al. 2016, https://arxiv.org/abs/1606.04080, equations 1 and 2.
"""

import jax
import jax.numpy as jnp

from jaxvision.losses.metric_learning import normalized, squared_distances


def prototypical_log_probabilities(support: jax.Array, queries: jax.Array) -> jax.Array:
    """Softmax over the negative squared distances to the mean of each class.

    Args:
        support: Embeddings [way, shot, D].
        queries: Embeddings [Q, D].

    Returns:
        Log probabilities [Q, way].
    """
    return jax.nn.log_softmax(-squared_distances(queries, support.mean(axis=1)))


def matching_log_probabilities(support: jax.Array, queries: jax.Array) -> jax.Array:
    """Attention over all supports, a softmax of cosines, summed over those of each class.

    Args:
        support: Embeddings [way, shot, D].
        queries: Embeddings [Q, D].

    Returns:
        Log probabilities [Q, way].
    """
    way, shot, size = support.shape
    cosines = normalized(queries) @ normalized(support).reshape(-1, size).T
    attention = jax.nn.log_softmax(cosines).reshape(-1, way, shot)
    return jax.nn.logsumexp(attention, axis=-1)


def nearest_log_probabilities(support: jax.Array, queries: jax.Array) -> jax.Array:
    """Softmax over the negative squared distances to the nearest support of each class.

    For embeddings of unit length, as those of triplet losses, which are normalised here.

    Args:
        support: Embeddings [way, shot, D].
        queries: Embeddings [Q, D].

    Returns:
        Log probabilities [Q, way].
    """
    way, shot, size = support.shape
    near = squared_distances(normalized(queries), normalized(support).reshape(-1, size))
    return jax.nn.log_softmax(-near.reshape(-1, way, shot).min(axis=-1))


def query_loss(log_probabilities: jax.Array, classes: jax.Array) -> jax.Array:
    """Mean negative log probability [] of the classes [Q], by [Q, way]."""
    picked = jnp.take_along_axis(log_probabilities, classes[:, None], axis=1)
    return -picked.mean()
