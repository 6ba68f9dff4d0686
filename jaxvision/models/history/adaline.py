"""Adaline and Madaline: units that learn from their error before the threshold.

Adaptive Switching Circuits, Widrow and Hoff 1960, the rule of least mean squares. Madaline, several
of them before a fixed OR: 30 Years of Adaptive Neural Networks, Widrow and Lehr 1990,
https://doi.org/10.1109/5.58323, section on Madaline Rule I (Ridgway 1962): of the units that could
correct the output, the one whose net input is nearest to zero is changed, with minimal disturbance.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxvision.models.history.perceptron import with_bias


class AdalineFit(NamedTuple):
    """How an Adaline learned.

    Attributes:
        weights: After every update [updates, D + 1], the bias last.
        cost: Half the mean squared error before every update [updates]; of the example alone
            where examples are learned one by one.
    """

    weights: jax.Array
    cost: jax.Array


def fit_online(
    x: jax.Array, y: jax.Array, *, epochs: int = 1, learning_rate: float = 0.05
) -> AdalineFit:
    """Learns example by example, in their order, from zero: w += rate * (y - w . x) * x.

    Args:
        x: Inputs [N, D].
        y: Targets [N].
        epochs: How often each example is seen.
        learning_rate: Must be less than 2 / |x|^2, else the error grows.
    """
    inputs = with_bias(x)

    def update(weights: jax.Array, example: tuple[jax.Array, jax.Array]) -> tuple:
        row, target = example
        error = target - jnp.dot(weights, row)
        weights = weights + learning_rate * error * row
        return weights, AdalineFit(weights, 0.5 * error**2)

    rows = jnp.tile(inputs, (epochs, 1)), jnp.tile(y, epochs)
    return jax.lax.scan(update, jnp.zeros(inputs.shape[1], inputs.dtype), rows)[1]


def fit_batch(x: jax.Array, y: jax.Array, *, steps: int, learning_rate: float = 0.05) -> AdalineFit:
    """Learns from all examples at once, from zero: w += rate * mean((y - w . x) * x).

    Args:
        x: Inputs [N, D].
        y: Targets [N].
        steps: Updates.
        learning_rate: Factor of the mean.
    """
    inputs = with_bias(x)

    def update(weights: jax.Array, _: None) -> tuple:
        error = y - inputs @ weights
        weights = weights + learning_rate * (error @ inputs) / len(y)
        return weights, AdalineFit(weights, 0.5 * jnp.mean(error**2))

    return jax.lax.scan(update, jnp.zeros(inputs.shape[1], inputs.dtype), None, length=steps)[1]


def madaline(weights: jax.Array, x: jax.Array) -> jax.Array:
    """Joins units of weights [K, D + 1] by OR: 1 if any is above zero, else -1 [N]."""
    return jnp.where((with_bias(x) @ weights.T > 0).any(axis=1), 1.0, -1.0)


def fit_madaline(
    weights: jax.Array, x: jax.Array, y: jax.Array, *, epochs: int, learning_rate: float = 0.1
) -> jax.Array:
    """Learns by Madaline Rule I.

    Args:
        weights: Of K units, not all equal [K, D + 1].
        x: Inputs [N, D].
        y: Classes, -1 or 1 [N].
        epochs: How often each example is seen.
        learning_rate: Of the rule of least mean squares.

    Returns:
        The weights [K, D + 1].
    """
    inputs = with_bias(x)

    def update(weights: jax.Array, example: tuple[jax.Array, jax.Array]) -> tuple:
        row, target = example
        net = weights @ row
        output = jnp.where((net > 0).any(), 1.0, -1.0)
        # -1 needs every unit below zero, 1 needs one above: the nearest.
        nearest = jnp.arange(len(net)) == jnp.abs(net).argmin()
        chosen = jnp.where(target > 0, nearest, net > 0) & (output != target)
        step = jnp.where(chosen, learning_rate * (target - net), 0.0)
        return weights + step[:, None] * row[None], None

    rows = jnp.tile(inputs, (epochs, 1)), jnp.tile(y, epochs)
    return jax.lax.scan(update, weights, rows)[0]
