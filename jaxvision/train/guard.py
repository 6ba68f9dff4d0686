"""Stops a run whose loss is NaN or infinite, and names the examples of that step."""

import collections
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from jaxvision.train.errors import TrainingError


class FiniteGuard:
    """Checks the loss and the gradient of every step, late, so that the devices never wait.

    Args:
        example_name: Names an example by its `index`; a negative one names none.
        delay: Steps in flight before the oldest is checked.
    """

    def __init__(self, example_name: Callable[[int], str], delay: int = 2) -> None:
        self._example_name = example_name
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

    def flush(self) -> None:
        """Checks every step so far.

        Raises:
            TrainingError: If a loss or gradient is NaN or infinite.
        """
        while self._pending:
            self._check(*self._pending.popleft())

    def _check(self, step: int, index: np.ndarray | None, watched: Mapping[str, jax.Array]) -> None:
        values = {name: float(value) for name, value in watched.items()}
        if all(np.isfinite(v) for v in values.values()):
            return
        found = ", ".join(f"{name} = {value}" for name, value in values.items())
        names = [] if index is None else [self._example_name(int(i)) for i in index[index >= 0]]
        raise TrainingError(
            f"step {step}: expected a finite loss and gradient, got {found}; "
            "nothing of it is saved. The examples of the batch:\n"
            + "\n".join(f"  {name}" for name in names)
            + "\ncheck their annotations, or lower the learning rate; "
            "the same command continues from the last checkpoint"
        )
