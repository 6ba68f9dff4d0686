"""When a run saves besides its evaluations: after so many steps, or so many minutes."""

import time
from collections.abc import Callable

from jax.sharding import Mesh

from jaxvision.train.agreement import agreed


class SaveTimes:
    """Says after each step whether a checkpoint is due.

    Args:
        every: Steps between checkpoints.
        minutes: Most minutes between them; 0 for any.
        mesh: Devices; the answer is the same in all their processes.
        clock: Seconds.
    """

    def __init__(
        self,
        every: int,
        minutes: float,
        mesh: Mesh,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._every = every
        self._seconds = 60.0 * minutes
        self._clock = clock
        self._last = clock()
        self._late = agreed(mesh, self._is_late) if minutes else bool

    def __call__(self, step: int) -> bool:
        """Says whether the state after this step is to be saved; called after every step."""
        due = self._late() or step % self._every == 0
        if due:
            self._last = self._clock()
        return due

    def _is_late(self) -> bool:
        return self._clock() - self._last >= self._seconds
