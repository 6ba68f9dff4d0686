"""Stops a run whose loss or state is NaN or infinite, and says where that comes from."""

import collections
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging

from jaxvision.train import processes
from jaxvision.train.errors import TrainingError
from jaxvision.train.experiment import Experiment
from jaxvision.train.skip import MOST_IN_A_ROW, SKIPPED
from jaxvision.train.state import TrainState

# Names of arrays that a message lists.
_SHOWN = 5
_WATCHED = ("loss", "grad_norm")
_CONTINUES = "the same command continues from the last checkpoint"


class FiniteGuard:
    """Checks the loss and the gradient of every step, late, so that the devices never wait.

    Args:
        experiment: Names the examples of a batch, and says whether a step that is not finite ends
            the run or was skipped.
        keep: Called with the number and the batch of a step that ends the run; says where it is
            kept, "" for nowhere.
        delay: Steps in flight before the oldest is checked.
    """

    def __init__(
        self,
        experiment: Experiment,
        keep: Callable[[int, Mapping[str, Any]], str] = lambda step, batch: "",
        delay: int = 2,
    ) -> None:
        self._experiment = experiment
        self._keep = keep
        self._delay = delay
        self._pending: collections.deque[tuple[int, Mapping[str, Any], Mapping[str, jax.Array]]] = (
            collections.deque()
        )
        self._skipped, self._in_a_row = 0, 0

    def watch(self, step: int, batch: Mapping[str, Any], logs: Mapping[str, jax.Array]) -> None:
        """Takes a step into account and checks the one made `delay` steps before.

        Raises:
            TrainingError: If that one's loss or gradient is NaN or infinite.
        """
        watched = {name: logs[name] for name in (*_WATCHED, SKIPPED) if name in logs}
        self._pending.append((step, batch, watched))
        if len(self._pending) > self._delay:
            self._check(*self._pending.popleft())

    def flush(self, state: TrainState) -> None:
        """Checks every step so far and the state after them, before it is saved or evaluated.

        Raises:
            TrainingError: If a loss or gradient, or an array of the state, is NaN or infinite.
        """
        while self._pending:
            self._check(*self._pending.popleft())
        if names := not_finite(state):
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            raise TrainingError(
                f"step {int(state.step)}: expected finite parameters, averages and optimizer "
                f"state, got NaN or infinite values in {', '.join(names[:_SHOWN])}{more}; nothing "
                "of it is saved. Check the learning rate, the values of the optimizer and those of "
                f"ema; {_CONTINUES}"
            )

    def _check(self, step: int, batch: Mapping[str, Any], watched: Mapping[str, jax.Array]) -> None:
        values = {name: float(value) for name, value in watched.items()}
        skipped = values.pop(SKIPPED, 0.0)
        self._in_a_row = self._in_a_row + 1 if skipped else 0
        if not skipped and all(np.isfinite(v) for v in values.values()):
            return
        found = ", ".join(f"{name} = {value:.6g}" for name, value in values.items())
        if not skipped:
            raise TrainingError(self._message(step, batch, found))
        self._skipped += 1
        logging.warning(
            "step %d is skipped, the update is not made: %s; skipped since the start: %d",
            *(step, found, self._skipped),
        )
        if self._in_a_row >= MOST_IN_A_ROW:
            raise TrainingError(
                f"step {step}: {self._in_a_row} steps in a row were skipped, the last with {found};"
                f" lower the learning rate, or see what non_finite=stop says; {_CONTINUES}"
            )

    def _message(self, step: int, batch: Mapping[str, Any], found: str) -> str:
        message = f"step {step}: expected a finite loss and gradient, got {found}; "
        # The update before made the parameters that this step was made with.
        rate = float(np.asarray(self._experiment.learning_rate(max(step - 2, 0))))
        if not np.isfinite(rate):
            return (
                f"{message}the learning rate of step {max(step - 1, 1)} was {rate}: check the "
                f"values of the optimizer and the schedule; {_CONTINUES}"
            )
        index, name = batch.get("index"), self._experiment.train_data.name
        lines = [] if index is None else [f"  {name(int(i))}" for i in index[index >= 0]]
        advice = f"check their annotations, or lower the learning rate; {_CONTINUES}"
        if kept := self._keep(step, batch):
            advice += f". With --replay={step} it finds the operation; {kept} holds the batch"
        lines.append(advice)
        return f"{message}nothing of it is saved. The examples of the batch:\n" + "\n".join(lines)


def not_finite(state: TrainState) -> list[str]:
    """Lists the arrays of a state, by their names, that hold a NaN or, of the model, infinity."""
    watched = {
        "params": state.params,
        "model_state": state.model_state,
        "ema": state.ema,
        "opt_state": state.opt_state,
        "rows": state.rows,
    }
    named = [
        (jax.tree_util.keystr(path, simple=True, separator="/"), x)
        for path, x in jax.tree_util.tree_flatten_with_path(watched)[0]
        if jnp.issubdtype(x.dtype, jnp.floating)
    ]
    model = ("params/", "model_state/", "ema/")
    found = [name for name, x in named if _is_broken(x, strict=name.startswith(model))]
    # Where the devices of several processes hold parts of an array, each process sees its own.
    return sorted({name for names in processes.gather(found) for name in names})


def _is_broken(x: jax.Array, *, strict: bool) -> bool:
    """Says whether an array holds a NaN or, if `strict`, infinity.

    On the host: a program for a thousand arrays would take a minute to compile.
    """
    whole = x.is_fully_replicated
    parts = [x.addressable_data(0)] if whole else [part.data for part in x.addressable_shards]
    arrays = map(np.asarray, parts)
    if strict:
        return not all(np.isfinite(part).all() for part in arrays)
    return any(np.isnan(part).any() for part in arrays)
