"""Ctrl-C and a scheduler's SIGTERM end a run after the step, with a checkpoint."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

from jax.sharding import Mesh

from jaxvision.train.agreement import agreed


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
    ask = agreed(mesh, received.is_set)

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
