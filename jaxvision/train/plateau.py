"""A learning rate that falls where the watched metric stops improving."""

import dataclasses
import math

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.ops import ranges
from jaxvision.train.sharding import put_whole


class PlateauState(flax.struct.PyTreeNode):
    """Part of a run's state, so that a continued run goes on where it was.

    Attributes:
        scale: Factor of the learning rate, float32.
        best: Best value of the metric so far, its sign such that higher is better, float32.
        since: Evaluations since then, or since the rate last fell, int32.
    """

    scale: jax.Array
    best: jax.Array
    since: jax.Array

    @classmethod
    def initial(cls) -> "PlateauState":
        """The state before the first evaluation."""
        return cls(jnp.ones(()), jnp.full((), -jnp.inf), jnp.zeros((), jnp.int32))


@dataclasses.dataclass(frozen=True)
class Plateau:
    """Multiplies the learning rate by `factor` after evaluations without a better value.

    Attributes:
        patience: Evaluations in a row without a better value after which the rate falls; the count
            then starts anew.
        factor: What the rate is multiplied by.
        tolerance: Share of the best value by which one must be better.
        least: Scale below which the rate does not fall.

    Raises:
        ValueError: If a number is out of its range.
    """

    patience: int
    factor: float = 0.1
    tolerance: float = 1e-4
    least: float = 0.0

    def __post_init__(self) -> None:
        ranges.check(self, "[1, inf)", "patience")
        ranges.check(self, "(0, 1)", "factor")
        ranges.check(self, "[0, inf)", "tolerance", "least")

    def update(self, state: PlateauState, value: float) -> PlateauState:
        """Takes an evaluation into account; NaN is not better than any value.

        Args:
            state: Before the evaluation.
            value: Of the watched metric, its sign such that higher is better.

        Returns:
            The new state, placed on the devices as the old one.
        """
        scale, best, since = (np.asarray(x) for x in (state.scale, state.best, state.since))
        bound = best + self.tolerance * abs(best) if math.isfinite(best) else best
        if value > bound:
            best, since = np.float32(value), np.int32(0)
        else:
            since = np.int32(since + 1)
        if since >= self.patience:
            scale, since = np.float32(max(scale * self.factor, self.least)), np.int32(0)
        new = {"scale": np.asarray(scale), "best": np.asarray(best), "since": np.asarray(since)}
        places = {name: getattr(state, name).sharding for name in new}
        return PlateauState(**put_whole(new, places))
