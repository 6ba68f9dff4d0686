"""Linear regression: the least squares of Legendre (1805) and Gauss (1809), in closed form."""

import jax
import jax.numpy as jnp

from jaxvision.models.history.perceptron import with_bias


def fit(x: jax.Array, y: jax.Array, *, ridge: float = 0.0) -> jax.Array:
    """Minimises sum((w . x + b - y)^2) + ridge * |w|^2.

    Args:
        x: Inputs [N, D].
        y: Targets [N].
        ridge: Penalty of the weights, not of the bias (Hoerl and Kennard 1970).

    Returns:
        Weights [D + 1], the bias last; with a ridge of 0 and dependent inputs the shortest ones.
    """
    inputs, size = with_bias(x), x.shape[1]
    if ridge:
        # Rows that ask for weights of zero.
        penalty = jnp.sqrt(ridge) * jnp.eye(size, size + 1, dtype=inputs.dtype)
        inputs = jnp.concatenate([inputs, penalty])
        y = jnp.concatenate([y, jnp.zeros(size, y.dtype)])
    return jnp.linalg.lstsq(inputs, y)[0]


def predict(weights: jax.Array, x: jax.Array) -> jax.Array:
    """Returns w . x + b [N] of weights [D + 1] and inputs [N, D]."""
    return with_bias(x) @ weights
