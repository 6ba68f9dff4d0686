"""The process of a training command: how a signal ends it early, and that it ends at all.

To be imported before anything slow: an interrupt while JAX is imported would print a hundred lines.
"""

import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

# What a shell reports of a process that Ctrl-C ended.
INTERRUPTED = 130


def take_interrupts() -> None:
    """Lets Ctrl-C end the process at once, with one line, until a run that saves takes over.

    An error in a thread is one line too: what the thread was for will fail and say more.
    """
    signal.signal(signal.SIGINT, _interrupted)
    threading.excepthook = _thread_failed


def leave(code: int) -> NoReturn:
    """Ends the process with an exit code.

    After an error at once: threads that still wait for what failed would keep the process, as those
    of a checkpoint whose folder is gone.
    """
    if code == 0:
        sys.exit(0)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # a pipe that is closed, a full disk
            continue
    # Where several processes train, it has more to do; there it is imported.
    if processes := sys.modules.get("jaxvision.train.processes"):
        processes.end(code)
    os._exit(code)


def _interrupted(signum: int, frame: FrameType | None) -> None:
    del signum, frame
    # Not by print, which may be what was interrupted.
    os.write(2, b"\ninterrupted\n")
    leave(INTERRUPTED)


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    name = failure.thread.name if failure.thread else "a thread"
    what = str(failure.exc_value) or failure.exc_type.__name__
    print(f"error in {name}: {what.splitlines()[0]}", file=sys.stderr, flush=True)
