"""Ctrl-C and a scheduler's SIGTERM end a run after the step, with a checkpoint."""

import collections
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

import jax
import numpy as np
from jax.sharding import Mesh

from jaxvision.train.sharding import num_processes, put_batch, replicated


@contextlib.contextmanager
def interruptible(mesh: Mesh) -> Iterator[Callable[[], bool]]:
    """Turns SIGINT and SIGTERM into a question that the loop asks after each step.

    The answer is the same in all processes of the mesh, whichever of them got the signal; with
    several processes it comes a few steps late. A second signal does what it did before: it ends
    the process at once. So does one before the question is asked for the first time, as while the
    step is compiled: there is nothing to save. Off the main thread, where Python takes no signals,
    none is received.
    """
    begun, received = threading.Event(), threading.Event()
    ask = received.is_set if num_processes(mesh) == 1 else _Agreed(mesh, received.is_set)

    def asked() -> bool:
        begun.set()
        return ask()

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    previous = {}

    def handle(signum: int, frame: object) -> None:
        del frame
        signal.signal(signum, previous[signum])
        if begun.is_set():
            received.set()
        else:
            signal.raise_signal(signum)

    for signum in (signal.SIGINT, signal.SIGTERM):
        previous[signum] = signal.signal(signum, handle)
    try:
        yield asked
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)


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
