"""Madaline Rule II: two layers of Adalines that learn by trial.

Madaline Rule II: A Training Algorithm for Neural Networks, Winter and Widrow 1988,
https://doi.org/10.1109/ICNN.1988.23872; 30 Years of Adaptive Neural Networks, Widrow and Lehr 1990,
https://doi.org/10.1109/5.58323. For a wrong output, the hidden unit whose net input is nearest to
zero is reversed for a trial; if that corrects outputs, its weights are changed so that it stays
reversed, and the next unit follows.

Departs from the paper: units are tried one by one, not also in pairs. Rule I, of one layer before a
fixed OR, is in `jaxvision.models.history.adaline`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxvision.models.history.perceptron import with_bias


class Madaline(NamedTuple):
    """Weights, biases last.

    Attributes:
        hidden: Of K units for D inputs [K, D + 1].
        output: Of M units [M, K + 1].
    """

    hidden: jax.Array
    output: jax.Array


class MadalineFit(NamedTuple):
    """How a Madaline learned.

    Attributes:
        network: The last weights.
        errors: Wrong outputs of each epoch, when the examples were met [epochs] int32.
    """

    network: Madaline
    errors: jax.Array


def initial(key: jax.Array, inputs: int, hidden: int, outputs: int) -> Madaline:
    """Draws weights from U(-1, 1)."""
    one, two = jax.random.split(key)
    return Madaline(
        jax.random.uniform(one, (hidden, inputs + 1), minval=-1, maxval=1),
        jax.random.uniform(two, (outputs, hidden + 1), minval=-1, maxval=1),
    )


def predict(network: Madaline, x: jax.Array) -> jax.Array:
    """Maps inputs [N, D] to outputs [N, M], -1 or 1."""
    return _sign(with_bias(_sign(with_bias(x) @ network.hidden.T)) @ network.output.T)


def fit(
    network: Madaline, x: jax.Array, y: jax.Array, *, epochs: int, learning_rate: float = 0.5
) -> MadalineFit:
    """Goes through the examples in their order.

    Args:
        network: Where to start.
        x: Inputs [N, D].
        y: Targets, -1 or 1 [N, M].
        epochs: How often each example is seen.
        learning_rate: Share of an output unit's error that is taken away, in (0, 1].
    """

    def update(network: Madaline, example: tuple[jax.Array, jax.Array]) -> tuple:
        row, target = example
        net = network.hidden @ row
        order = jnp.argsort(jnp.abs(net))

        def wrong(states: jax.Array) -> jax.Array:
            return _sign(network.output @ jnp.append(states, 1.0)) != target

        def trial(i: jax.Array, carried: tuple[jax.Array, jax.Array]) -> tuple:
            hidden, states = carried
            unit = order[i]
            reversed_ = states.at[unit].multiply(-1)
            better = wrong(reversed_).sum() < wrong(states).sum()
            # The least change by which the net input becomes the new state.
            step = (-states[unit] - net[unit]) * row / jnp.dot(row, row)
            hidden = hidden.at[unit].add(jnp.where(better, step, 0.0))
            return hidden, jnp.where(better, reversed_, states)

        start = network.hidden, _sign(net)
        errors = wrong(start[1]).sum(dtype=jnp.int32)
        hidden, states = jax.lax.fori_loop(0, len(net), trial, start)
        # What no trial corrects is left to the output units, by the rule of least mean squares.
        given = jnp.append(states, 1.0)
        error = jnp.where(wrong(states), target - network.output @ given, 0.0)
        step = learning_rate * error[:, None] * given[None] / jnp.dot(given, given)
        return Madaline(hidden, network.output + step), errors

    def epoch(network: Madaline, _: None) -> tuple[Madaline, jax.Array]:
        network, errors = jax.lax.scan(update, network, (with_bias(x), y))
        return network, errors.sum(dtype=jnp.int32)

    return MadalineFit(*jax.lax.scan(epoch, network, None, length=epochs))


def _sign(x: jax.Array) -> jax.Array:
    return jnp.where(x > 0, 1.0, -1.0)
