"""Skips updates that would do harm, in place of ending the run or spoiling it."""

import jax
import jax.numpy as jnp

from jaxvision.tasks.task import Batch
from jaxvision.train.state import LossMean, TrainState
from jaxvision.train.step import Logs, Step

# What a step's logs say of it: 1 if its update was skipped.
SKIPPED = "skipped"
# A run whose steps are all skipped learns nothing any more.
MOST_IN_A_ROW = 20
# Steps that the mean of the losses looks back, and steps before it is trusted.
_MEMORY, _TRUSTED = 100, 50


def skipping(step: Step, *, non_finite: bool, spike: float) -> Step:
    """Lets a step leave the state as it was, but for its number, where the update would do harm.

    Args:
        step: The step of a run.
        non_finite: Whether to skip updates whose loss or gradient is NaN or infinite.
        spike: Skips updates whose loss is above this multiple of its mean over the steps before;
            0 for none. The state must have a `loss_mean`.
    """

    def careful_step(state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Logs]:
        new, logs = step(state, batch, key)
        loss, mean = logs["loss"], state.loss_mean
        taken = jnp.bool_(True)
        if non_finite:
            taken &= jnp.isfinite(loss) & jnp.isfinite(logs.get("grad_norm", loss))
        if spike and mean is not None:
            above = loss - mean.value > (spike - 1.0) * jnp.abs(mean.value)
            taken &= ~(above & jnp.isfinite(loss) & (mean.count >= _TRUSTED))
            new = new.replace(loss_mean=_with(mean, loss))
        kept = jax.tree.map(lambda x, y: jnp.where(taken, x, y), new, state)
        return kept.replace(step=new.step), {**logs, SKIPPED: 1.0 - taken}

    return careful_step


def _with(mean: LossMean, loss: jax.Array) -> LossMean:
    """Returns the mean with one more loss: of all so far, and later an exponential one."""
    count = mean.count + 1
    share = 1.0 / jnp.minimum(count, _MEMORY)
    return LossMean(value=mean.value + share * (loss - mean.value), count=count)
