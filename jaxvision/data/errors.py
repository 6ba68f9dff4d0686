"""The one exception for faults that lie in the user's data, and what to do with it."""

import collections
import threading
from collections.abc import Callable
from typing import Any, NoReturn

_SHOWN = 10
# Characters of a value in a message.
_LONGEST = 100

# What a config may say: whether a fault ends the run or the faulty example is dropped.
RULES = ("error", "drop")


def shown(value: Any) -> str:
    """Returns what came, for a message: of a long or deep value the beginning."""
    try:
        text = repr(value)
    except RecursionError:
        text = f"a deeply nested {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


class DataError(ValueError):
    """An error in a dataset that its owner can correct.

    The message names the file and the field, what was expected, what came and what to do about it,
    so that it can be shown as it is, without a traceback.

    Attributes:
        code: What kind of error it is, for programs: `missing-image`, ...; empty where no program
            needs to know.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


# A reader calls such a function with each error after which it can go on. If the function raises,
# reading ends; if it returns, the faulty part is dropped.
OnFault = Callable[[DataError], None]


def stop(fault: DataError) -> NoReturn:
    """Raises the error: the default of readers."""
    raise fault


def drop(fault: DataError) -> None:
    """Does nothing, so that the faulty example is dropped: an `OnFault` for readers and streams."""


def on_fault(rule: str) -> OnFault:
    """Turns one of `RULES` into an `OnFault`; any other is a ValueError."""
    if rule not in RULES:
        raise ValueError(f"expected error or drop for faulty examples, got {rule}")
    return stop if rule == "error" else drop


class FaultLog:
    """An `OnFault` that counts faults by message; safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: collections.Counter[str] = collections.Counter()

    def __call__(self, fault: DataError) -> None:
        """Counts a fault."""
        with self._lock:
            self._counts[str(fault)] += 1

    def report(self) -> str:
        """Lists what was dropped since the last report, most frequent first; empty if nothing."""
        with self._lock:
            counts, self._counts = self._counts, collections.Counter()
        if not counts:
            return ""
        lines = [f"{counts.total():,} examples dropped, {len(counts):,} different faults:"]
        lines += [f"  {times} x {message}" for message, times in counts.most_common(_SHOWN)]
        if len(counts) > _SHOWN:
            lines.append(f"  and {len(counts) - _SHOWN:,} more")
        return "\n".join(lines)
