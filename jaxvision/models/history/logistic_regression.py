"""Logistic regression: Cox 1958, https://doi.org/10.1111/j.2517-6161.1958.tb00292.x.

Fitted by Newton's method, which here is least squares with weights that change from step to step.
"""

import jax
import jax.numpy as jnp

from jaxvision.models.history.perceptron import with_bias


def fit(x: jax.Array, y: jax.Array, *, ridge: float = 1.0, steps: int = 20) -> jax.Array:
    """Minimises the sum of the cross entropies plus ridge / 2 * |w|^2.

    Args:
        x: Inputs [N, D].
        y: Classes, 0 or 1 [N].
        ridge: Penalty of the weights, not of the bias; above 0 the minimum exists even if a plane
            separates the classes.
        steps: Of Newton's method, from zero.

    Returns:
        Weights [D + 1], the bias last.
    """
    inputs = with_bias(x)
    penalty = ridge * jnp.ones(inputs.shape[1], inputs.dtype).at[-1].set(0.0)

    def newton(weights: jax.Array, _: None) -> tuple[jax.Array, None]:
        p = jax.nn.sigmoid(inputs @ weights)
        gradient = (p - y) @ inputs + penalty * weights
        hessian = (inputs.T * (p * (1 - p))[None]) @ inputs + jnp.diag(penalty)
        return weights - jnp.linalg.solve(hessian, gradient), None

    start = jnp.zeros(inputs.shape[1], inputs.dtype)
    return jax.lax.scan(newton, start, None, length=steps)[0]


def probabilities(weights: jax.Array, x: jax.Array) -> jax.Array:
    """Returns the probability [N] of class 1 by weights [D + 1] and inputs [N, D]."""
    return jax.nn.sigmoid(with_bias(x) @ weights)
