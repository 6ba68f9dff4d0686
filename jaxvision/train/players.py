"""Optimizers of players that take turns, as generator and discriminator."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

Turn = Callable[..., Any]


class PlayersState(NamedTuple):
    """State of `players`.

    Attributes:
        step: Updates so far, int32.
        moved: Whether each player moved at the last one.
        inner: States of the optimizers.
    """

    step: jax.Array
    moved: dict[str, jax.Array]
    inner: Any


def players(
    optimizers: Mapping[str, tuple[optax.GradientTransformation, Turn]],
) -> optax.GradientTransformationExtraArgs:
    """Gives each player an optimizer of its own that runs at its turns alone.

    At the other steps the player's parameters, moments and moving average stay as they are:
    `optax.partition` alone would move them, as Adam does on a zero gradient. A learning rate inside
    counts the player's own updates. The task's loss asks the same turn of its `step`, so that
    `by_turn` of `jaxvision.tasks.turns` computes one player alone.

    Args:
        optimizers: {first name of the player's parameters: (optimizer, turn)}; `turn` maps the
            steps made to whether the player moves.
    """

    def labels(params: Any) -> Any:
        if params.keys() != optimizers.keys():
            raise ValueError(
                f"players must be named as the parts of the parameters, {sorted(params)}, got "
                f"{sorted(optimizers)}"
            )
        return {
            name: jax.tree.map(lambda _, name=name: name, part) for name, part in params.items()
        }

    inner = optax.partition(
        {name: optax.conditionally_mask(rule, turn) for name, (rule, turn) in optimizers.items()},
        labels,
    )

    def init(params: Any) -> PlayersState:
        moved = {name: jnp.zeros((), bool) for name in optimizers}
        return PlayersState(jnp.zeros((), jnp.int32), moved, inner.init(params))

    def update(
        updates: Any, state: Any, params: Any = None, **extra: Any
    ) -> tuple[Any, PlayersState]:
        updates, inner_state = inner.update(updates, state.inner, params, **extra)
        moved = {name: jnp.asarray(turn(state.step)) for name, (_, turn) in optimizers.items()}
        return updates, PlayersState(state.step + 1, moved, inner_state)

    return optax.GradientTransformationExtraArgs(init, update)


def moved(opt_state: Any) -> dict[str, jax.Array]:
    """Finds which players moved in an optimizer's state; empty where nobody takes turns."""

    def is_players(node: Any) -> bool:
        return isinstance(node, PlayersState)

    nodes = jax.tree.leaves(opt_state, is_leaf=is_players)
    return next((node.moved for node in nodes if is_players(node)), {})
