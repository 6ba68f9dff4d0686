"""The perceptron and its rule: a wrong example is added to the weights.

The Perceptron: A Probabilistic Model for Information Storage and Organization in the Brain,
Rosenblatt 1958, https://doi.org/10.1037/h0042519. If a plane separates the classes, it makes at
most (R / margin)^2 mistakes (Novikoff 1962).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class PerceptronFit(NamedTuple):
    """How a perceptron learned.

    Attributes:
        weights: After every example of every epoch [epochs * N, D + 1], the bias last.
        errors: Wrong examples of each epoch, when they were met [epochs] int32.
    """

    weights: jax.Array
    errors: jax.Array


def with_bias(x: jax.Array) -> jax.Array:
    """Appends a constant input of 1 to inputs [N, D]."""
    return jnp.concatenate([x, jnp.ones_like(x[:, :1])], axis=1)


def decision(weights: jax.Array, x: jax.Array) -> jax.Array:
    """Returns the net input w . x + b [N] of weights [D + 1], whose sign is the class."""
    return with_bias(x) @ weights


def fit(
    x: jax.Array, y: jax.Array, *, epochs: int = 10, learning_rate: float = 1.0
) -> PerceptronFit:
    """Goes through the examples in their order, from weights of zero.

    An example is wrong if y (w . x + b) <= 0: then w += learning_rate * y * x.

    Args:
        x: Inputs [N, D].
        y: Classes, -1 or 1 [N].
        epochs: How often each example is seen.
        learning_rate: Scales the weights and, as they start at zero, changes no decision.
    """
    inputs = with_bias(x)

    def update(weights: jax.Array, example: tuple[jax.Array, jax.Array]) -> tuple:
        row, target = example
        wrong = target * jnp.dot(weights, row) <= 0
        weights = weights + jnp.where(wrong, learning_rate * target, 0.0) * row
        return weights, (weights, wrong)

    def epoch(weights: jax.Array, _: None) -> tuple:
        weights, (history, wrong) = jax.lax.scan(update, weights, (inputs, y))
        return weights, (history, wrong.sum(dtype=jnp.int32))

    start = jnp.zeros(inputs.shape[1], inputs.dtype)
    _, (history, errors) = jax.lax.scan(epoch, start, None, length=epochs)
    return PerceptronFit(history.reshape(-1, inputs.shape[1]), errors)
