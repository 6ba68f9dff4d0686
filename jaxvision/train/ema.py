"""Averages of parameters and model state over the updates."""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def warmup_decay(decay: float = 0.9998, tau: float = 2000.0) -> Callable[[jax.Array], jax.Array]:
    """Decay that starts at 0, so that an average forgets the initial weights (YOLOv5, YOLOX).

    Args:
        decay: Limit of the decay.
        tau: Updates after which 63% of it is reached.

    Returns:
        A function of the updates made, this one included: decay * (1 - exp(-n / tau)).
    """

    def at(updates: jax.Array) -> jax.Array:
        return decay * (1.0 - jnp.exp(-updates.astype(jnp.float32) / tau))

    return at


def constant_decay(decay: float) -> Callable[[jax.Array], jax.Array]:
    """The same decay at every update."""
    return lambda updates: jnp.full((), decay, jnp.float32)


def tail_average(start: int) -> Callable[[jax.Array], jax.Array]:
    """Decay that gives the plain mean of all states from update `start` on, and the newest before.

    It does at every update what averaging the last checkpoints does for a few.
    """

    def at(updates: jax.Array) -> jax.Array:
        averaged = jnp.maximum(updates - start, 0).astype(jnp.float32)
        return averaged / (averaged + 1.0)

    return at
