"""Ctrl-C and a scheduler's SIGTERM end a run after the step, with a checkpoint."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Turns SIGINT and SIGTERM into a question that the loop asks after each step.

    A second signal ends the process at once. Off the main thread, where Python takes no signals,
    the answer is always no.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    received = threading.Event()
    previous = {}

    def handle(signum: int, frame: object) -> None:
        del frame
        received.set()
        signal.signal(signum, previous[signum])

    for signum in (signal.SIGINT, signal.SIGTERM):
        previous[signum] = signal.signal(signum, handle)
    try:
        yield received.is_set
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)
