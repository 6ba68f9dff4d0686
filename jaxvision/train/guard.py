"""Stops a run whose loss or state is NaN or infinite, and says where that comes from."""

import collections
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.train import processes
from jaxvision.train.errors import TrainingError
from jaxvision.train.state import TrainState

# Names of arrays that a message lists.
_SHOWN = 5
_CONTINUES = "the same command continues from the last checkpoint"


class FiniteGuard:
    """Checks the loss and the gradient of every step, late, so that the devices never wait.

    Args:
        example_name: Names an example by its `index`; a negative one names none.
        learning_rate: The schedule of the run.
        delay: Steps in flight before the oldest is checked.
    """

    def __init__(
        self,
        example_name: Callable[[int], str],
        learning_rate: Callable[[int], Any] = lambda step: 0.0,
        delay: int = 2,
    ) -> None:
        self._example_name = example_name
        self._learning_rate = learning_rate
        self._delay = delay
        self._pending: collections.deque[tuple[int, Any, dict[str, jax.Array]]] = (
            collections.deque()
        )

    def watch(self, step: int, batch: Mapping[str, Any], logs: Mapping[str, jax.Array]) -> None:
        """Takes a step into account and checks the one made `delay` steps before.

        Raises:
            TrainingError: If that one's loss or gradient is NaN or infinite.
        """
        watched = {name: logs[name] for name in ("loss", "grad_norm") if name in logs}
        self._pending.append((step, batch.get("index"), watched))
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

    def _check(self, step: int, index: np.ndarray | None, watched: Mapping[str, jax.Array]) -> None:
        values = {name: float(value) for name, value in watched.items()}
        if all(np.isfinite(v) for v in values.values()):
            return
        found = ", ".join(f"{name} = {value}" for name, value in values.items())
        message = f"step {step}: expected a finite loss and gradient, got {found}; "
        # The update before made the parameters that this step was made with.
        rate = float(np.asarray(self._learning_rate(max(step - 2, 0))))
        if not np.isfinite(rate):
            raise TrainingError(
                f"{message}the learning rate of step {max(step - 1, 1)} was {rate}: check the "
                f"values of the optimizer and the schedule; {_CONTINUES}"
            )
        names = [] if index is None else [self._example_name(int(i)) for i in index[index >= 0]]
        raise TrainingError(
            f"{message}nothing of it is saved. The examples of the batch:\n"
            + "\n".join(f"  {name}" for name in names)
            + f"\ncheck their annotations, or lower the learning rate; {_CONTINUES}"
        )


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
