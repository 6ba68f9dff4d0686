"""Collects the faults of a running job that goes on without the faulty examples."""

import collections
import threading

from jaxvision.data.errors import DataError, OnFault, stop

_SHOWN = 10

# What a config may say: whether a fault ends the run or the faulty example is dropped.
RULES = ("error", "drop")


def drop(fault: DataError) -> None:
    """Does nothing, so that the faulty example is dropped: an `OnFault` for readers and streams."""
    del fault


def on_fault(rule: str) -> OnFault:
    """Turns `error` or `drop`, as in a config, into an `OnFault`.

    Raises:
        ValueError: If there is no such rule.
    """
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
