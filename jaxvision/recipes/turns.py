"""The optimizers of a generator and a discriminator that take turns."""

from typing import Any

import optax

from jaxvision.recipes import wiring
from jaxvision.recipes.values import Config
from jaxvision.tasks.turns import DISCRIMINATOR, GENERATOR, TakesTurns
from jaxvision.train.players import players


def optimizers(
    config: Config, task: TakesTurns, rate: optax.Schedule, *, scale: float = 1.0
) -> optax.GradientTransformation:
    """Gives each player an optimizer, whose learning rate is that of the step of the run.

    Args:
        config: The values; those of the group `optimizer` are both players'.
        task: Says whose turn it is.
        rate: The learning rate as a function of the steps of both.
        scale: What the discriminator's learning rate is multiplied by.
    """
    count = task.discriminator_steps

    def of_generator(moves: Any) -> Any:
        return rate(moves * (count + 1) + count)

    def of_discriminator(moves: Any) -> Any:
        return scale * rate(moves // count * (count + 1) + moves % count)

    return players(
        {
            GENERATOR: (wiring.optimizer(config, of_generator), task.generator_turn),
            DISCRIMINATOR: (wiring.optimizer(config, of_discriminator), task.discriminator_turn),
        }
    )
