"""A question to which all processes of a run get the same answer after each step."""

import collections
from collections.abc import Callable

import jax
import numpy as np
from jax.sharding import Mesh

from jaxvision.train.sharding import num_processes, put_batch, replicated


def agreed(mesh: Mesh, ask: Callable[[], bool]) -> Callable[[], bool]:
    """Makes a question of one process a question of all of them.

    Args:
        mesh: Devices of all processes.
        ask: This process's answer.

    Returns:
        The question, true where one process's answer is; every process asks it after each step.
        With several processes the answer comes a few steps late.
    """
    return ask if num_processes(mesh) == 1 else _Agreed(mesh, ask)


class _Agreed:
    """Asks all processes the same question after each step.

    The devices join the answers, and what they found is read some steps later, when it has long
    been there, so that neither hosts nor devices wait.

    Args:
        mesh: Devices of all processes.
        ask: This process's answer.
        delay: Steps after which an answer is read.
    """

    def __init__(self, mesh: Mesh, ask: Callable[[], bool], delay: int = 2) -> None:
        self._mesh = mesh
        self._ask = ask
        self._delay = delay
        self._any = jax.jit(lambda answers: answers.any(), out_shardings=replicated(mesh))
        self._pending: collections.deque[jax.Array] = collections.deque()

    def __call__(self) -> bool:
        own = np.full(len(self._mesh.local_devices), self._ask())
        self._pending.append(self._any(put_batch({"answers": own}, self._mesh)["answers"]))
        return len(self._pending) > self._delay and bool(self._pending.popleft())
