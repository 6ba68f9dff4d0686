"""K-means: Lloyd 1957 (1982), https://doi.org/10.1109/TIT.1982.1056489, from k-means++ centres.

The centres are drawn as Arthur and Vassilvitskii 2007 do, each with a probability in proportion to
its squared distance from those drawn before.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Clusters(NamedTuple):
    """Result of K-means.

    Attributes:
        centers: [K, D].
        labels: Nearest centre of each point [N] int32.
        inertia: Sum of squared distances to it [].
    """

    centers: jax.Array
    labels: jax.Array
    inertia: jax.Array


def first_centers(key: jax.Array, x: jax.Array, clusters: int) -> jax.Array:
    """Draws K of the points [N, D] as centres [K, D]."""
    keys = jax.random.split(key, clusters)
    centers = jnp.zeros((clusters, x.shape[1]), x.dtype)
    centers = centers.at[0].set(x[jax.random.randint(keys[0], (), 0, len(x))])

    def draw(i: jax.Array, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        centers, nearest = state
        nearest = jnp.minimum(nearest, jnp.square(x - centers[i - 1][None]).sum(axis=1))
        chosen = jax.random.categorical(keys[i], jnp.log(nearest))
        return centers.at[i].set(x[chosen]), nearest

    start = centers, jnp.full(len(x), jnp.inf, x.dtype)
    return jax.lax.fori_loop(1, clusters, draw, start)[0]


def assign(centers: jax.Array, x: jax.Array) -> Clusters:
    """Gives each point [N, D] to its nearest centre; of equally near ones to the first."""
    distances = jnp.square(x[:, None] - centers[None]).sum(axis=-1)
    labels = distances.argmin(axis=1).astype(jnp.int32)
    return Clusters(centers, labels, distances.min(axis=1).sum())


def fit(centers: jax.Array, x: jax.Array, *, steps: int = 100) -> Clusters:
    """Moves centres to the means of their points, until none moves or `steps` are done.

    Args:
        centers: Where to start [K, D].
        x: Points [N, D].
        steps: At most so many.

    Returns:
        The clusters; a centre without points stays where it is.
    """

    def move(state: tuple[jax.Array, jax.Array, jax.Array]) -> tuple:
        step, centers, _ = state
        member = jax.nn.one_hot(assign(centers, x).labels, len(centers), dtype=x.dtype)
        counts = member.sum(axis=0)[:, None]
        means = (member.T @ x) / jnp.maximum(counts, 1)
        moved = jnp.where(counts > 0, means, centers)
        return step + 1, moved, (moved != centers).any()

    def going_on(state: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
        return (state[0] < steps) & state[2]

    start = jnp.zeros((), jnp.int32), centers, jnp.ones((), bool)
    return assign(jax.lax.while_loop(going_on, move, start)[1], x)
