"""The processes of a run: what they tell each other, which of them speaks, and when one is lost.

A run over several hosts is the same program in every process, joined by `jax.distributed`. Where
there is one process, everything here returns at once.
"""

import atexit
import contextlib
import hashlib
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn, TextIO, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxvision.train.errors import TrainingError
from jaxvision.train.workdir import flatten

T = TypeVar("T")

# Bytes are sent in blocks of few sizes, since each size is a program to compile.
_SMALLEST_BLOCK = 1024
# How XLA's errors begin, and what is in them if the connection to a process is gone: the libraries
# that exchange arrays on CPUs and GPUs, the service that joins the processes, and its reasons.
_STATUS = re.compile(r"(UNKNOWN|INTERNAL|UNAVAILABLE|ABORTED|CANCELLED|FAILED_\w+|DEADLINE_\w+): ")
_LOST = re.compile(r"gloo|nccl|coordination|heartbeat|barrier|unavailable|connection", re.I)
LOST = (
    "another process of this run has ended or cannot be reached; its own output says why. The same "
    "command continues from the last checkpoint."
)


def is_first() -> bool:
    """Says whether this process is the one that prints, draws and writes metrics."""
    return jax.process_index() == 0


def gather(value: T) -> list[T]:
    """Returns the value of every process, in the order of the processes, in each of them.

    Every process must call it, at the same place in its work.

    Args:
        value: Anything that can be pickled.
    """
    if jax.process_count() == 1:
        return [value]
    content = np.frombuffer(pickle.dumps(value), np.uint8)
    sizes = multihost_utils.process_allgather(np.uint32(content.size))
    rows = multihost_utils.process_allgather(_block(content, int(sizes.max())))
    return [
        pickle.loads(row[:size].tobytes()) for row, size in zip(rows, sizes.tolist(), strict=True)
    ]


def from_first(make: Callable[[], T]) -> T:
    """Calls a function in the first process alone; returns its result in every process.

    Every process must call it, at the same place in its work.

    Raises:
        Exception: In every process, what the function raised in the first.
    """
    if jax.process_count() == 1:
        return make()
    result, error = None, None
    if is_first():
        try:
            result = make()
        except Exception as raised:  # whatever it is, the other processes are waiting for it
            error = raised
    content = np.frombuffer(pickle.dumps((result, error)), np.uint8)
    size = int(multihost_utils.broadcast_one_to_all(np.uint32(content.size)))
    block = _block(content[:size], size)
    sent = multihost_utils.broadcast_one_to_all(block)
    result, error = pickle.loads(np.asarray(sent, np.uint8)[:size].tobytes())
    if error is not None:
        raise error
    return result


def _block(content: np.ndarray, size: int) -> np.ndarray:
    """Pads bytes to the next power of two of `size`."""
    block = np.zeros(max(_SMALLEST_BLOCK, 1 << (size - 1).bit_length()), np.uint8)
    block[: content.size] = content
    return block


def check_same(values: Mapping[str, Any]) -> None:
    """Compares values that all processes must have in common, by their digests.

    Args:
        values: JSON by name; groups are compared value by value.

    Raises:
        TrainingError: In every process, if one differs from the first; it names the values.
    """
    if jax.process_count() == 1:
        return
    flat = {name: json.dumps(value, sort_keys=True) for name, value in flatten(values).items()}
    whole = hashlib.sha256(json.dumps(flat, sort_keys=True).encode()).hexdigest()
    if len(set(gather(whole))) == 1:
        return
    first = from_first(lambda: flat)
    differ = [name for name in sorted(first | flat) if first.get(name) != flat.get(name)]
    own = [f"{k}: {_short(first.get(k))} in process 0, {_short(flat.get(k))} here" for k in differ]
    lines = [
        f"  process {process}: {line}"
        for process, lines in enumerate(gather(own[:10]))
        for line in lines
    ]
    raise TrainingError(
        "all processes must have the same config and data, and they differ:\n" + "\n".join(lines)
    )


def _short(value: str | None) -> str:
    if value is None:
        return "none"
    return value if len(value) <= 60 else f"{value[:40]}... ({len(value)} characters)"


@contextlib.contextmanager
def one_speaks() -> Iterator[TextIO]:
    """Silences the standard output of all processes but the first.

    Errors are shown by each.

    Yields:
        Where progress is shown.
    """
    if is_first():
        yield sys.stderr
        return
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield nowhere


@contextlib.contextmanager
def ends_with_the_others() -> Iterator[None]:
    """Ends this process, with one message, if another one of the run has ended before its time.

    It ends at once: whatever is still to be closed would wait for the lost process.
    """
    try:
        yield
    except (RuntimeError, ValueError) as error:
        lost = _STATUS.match(str(error)) and _LOST.search(str(error))
        if not lost or not jax.distributed.is_initialized():
            raise
        reason = str(error).splitlines()[0]
        show_error(f"{LOST} ({reason})")
        end(1)


def show_error(message: object) -> None:
    """Prints an error, with the number of the process where there are several."""
    print(f"error: {_where()}{message}", file=sys.stderr, flush=True)


def _where() -> str:
    if not jax.distributed.is_initialized():
        return ""
    return f"process {jax.process_index()} of {jax.process_count()}: "


def end(code: int) -> NoReturn:
    """Ends this process at once, without waiting for others, who may wait for this one."""
    sys.stdout.flush()
    sys.stderr.flush()
    for dismiss in _watchers:
        dismiss()
    os._exit(code)


# Dismiss those who would report that this process has ended without a word.
_watchers: list[Callable[[], None]] = []
# Reads until its parent closes the pipe: in silence after a byte, without one if it crashed.
_WATCH = "import sys; sys.stdin.buffer.read(1) or print(sys.argv[1], file=sys.stderr, flush=True)"


def report_a_crash() -> None:
    """Lets a small process of its own say so if this one is ended from outside.

    XLA ends a process whose peers are lost with a crash that no Python code sees, if it does not
    fail in an exchange of arrays before; and the system kills one that takes too much memory.
    """
    message = f"error: {_where()}ended from outside: it was killed, or {LOST}"
    watcher = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _WATCH, message],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is not meant for it
    )

    def dismiss() -> None:
        with contextlib.suppress(OSError):
            watcher.communicate(b"x", timeout=5)

    _watchers.append(dismiss)
    atexit.register(dismiss)
