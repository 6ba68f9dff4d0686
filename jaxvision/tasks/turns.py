"""Computing the loss of one of two players."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

# Maps parameters to a loss, and what is not differentiated.
PlayerLoss = Callable[[Any], tuple[jax.Array, Any]]


def by_turn(
    turn: jax.Array, first: PlayerLoss, second: PlayerLoss, params: Any
) -> tuple[jax.Array, Any]:
    """Computes one of two losses, and its gradient where that is asked for.

    The same as `jax.lax.cond`, in whose branches XLA's CPU backend computes convolutions 30 times
    slower than elsewhere. Here each loss is the body of a loop that runs once or not at all; such a
    loop has no gradient of its own, so the gradient is computed within, beside the loss.

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
        shapes = jax.eval_shape(lambda: compute(first))
        found = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        for own, loss in ((turn, first), (~turn, second)):
            _, found = jax.lax.while_loop(
                lambda carry: carry[0],
                lambda carry, loss=loss: (jnp.zeros((), bool), compute(loss)),
                (own, found),
            )
        return found

    @jax.custom_vjp
    def value(params: Any) -> tuple[jax.Array, Any]:
        return chosen(lambda loss: loss(params))

    def forward(params: Any) -> tuple[tuple[jax.Array, Any], Any]:
        return chosen(lambda loss: jax.value_and_grad(loss, has_aux=True)(params))

    def backward(grads: Any, cotangents: tuple[jax.Array, Any]) -> tuple[Any]:
        return (jax.tree.map(lambda x: x * cotangents[0], grads),)

    value.defvjp(forward, backward)
    return value(params)
