"""Two players who take turns by step: whose turn it is, and the loss of that one alone."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

GENERATOR, DISCRIMINATOR = PLAYERS = "generator", "discriminator"
# Maps parameters to a loss, and what is not differentiated.
PlayerLoss = Callable[[Any], tuple[jax.Array, Any]]


class TakesTurns:
    """A task in which the discriminator moves at n steps, then the generator at one.

    Attributes:
        discriminator_steps: n.
    """

    discriminator_steps: int

    def generator_turn(self, step: jax.Array) -> jax.Array:
        """Says whether the generator moves after so many steps."""
        return step % (self.discriminator_steps + 1) == self.discriminator_steps

    def discriminator_turn(self, step: jax.Array) -> jax.Array:
        """Says whether the discriminator moves after so many steps."""
        return step % (self.discriminator_steps + 1) != self.discriminator_steps


def by_turn(
    turn: jax.Array, first: PlayerLoss, second: PlayerLoss, params: Any
) -> tuple[jax.Array, Any]:
    """Computes one of two losses, and its gradient where that is asked for.

    The same as `jax.lax.cond`, in whose branches, and in those of loops, XLA's CPU backend computes
    networks of strided convolutions about 30 times slower than elsewhere. So on a CPU both losses
    are computed, and one is taken. Gradients are taken with them, so that those of the other player
    are zeros, whatever its loss is.

    Args:
        turn: True for `first` [] bool.
        first: Maps parameters to (loss [], other arrays).
        second: The same, with arrays of the same shapes.
        params: Parameters, which alone are differentiated.

    Returns:
        The loss of the chosen one [], and its other arrays.
    """
    turn = jnp.asarray(turn)

    def chosen(compute: Callable[[PlayerLoss], Any]) -> Any:
        if jax.default_backend() != "cpu":
            return jax.lax.cond(turn, lambda: compute(first), lambda: compute(second))
        both = compute(first), compute(second)
        return jax.tree.map(lambda one, other: jnp.where(turn, one, other), *both)

    @jax.custom_vjp
    def value(params: Any) -> tuple[jax.Array, Any]:
        return chosen(lambda loss: loss(params))

    def forward(params: Any) -> tuple[tuple[jax.Array, Any], Any]:
        return chosen(lambda loss: jax.value_and_grad(loss, has_aux=True)(params))

    def backward(grads: Any, cotangents: tuple[jax.Array, Any]) -> tuple[Any]:
        return (jax.tree.map(lambda x: x * cotangents[0], grads),)

    value.defvjp(forward, backward)
    return value(params)
