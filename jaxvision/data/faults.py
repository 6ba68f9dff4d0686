"""Collects the faults of a running job that goes on without the examples they are in."""

import collections
import threading

from jaxvision.data.errors import DataError

_SHOWN = 10


class FaultLog:
    """An `OnFault` that remembers; safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: collections.Counter[str] = collections.Counter()

    def __call__(self, fault: DataError) -> None:
        """Takes a fault down."""
        with self._lock:
            self._counts[str(fault)] += 1

    def report(self) -> str:
        """Lists what was left out since the last report, most frequent first; empty if nothing."""
        with self._lock:
            counts, self._counts = self._counts, collections.Counter()
        if not counts:
            return ""
        lines = [
            f"{counts.total():,} times an example was left out for one of {len(counts):,} faults:"
        ]
        lines += [f"  {times} x {message}" for message, times in counts.most_common(_SHOWN)]
        if len(counts) > _SHOWN:
            lines.append(f"  and {len(counts) - _SHOWN:,} more")
        return "\n".join(lines)
