"""What a person sees while a command works through a number of things."""

import sys
import time

import tqdm

# Seconds between two lines where there is no terminal for a bar.
LINE_EVERY = 30.0


class Progress:
    """A bar on a terminal, a line now and then elsewhere; both on stderr.

    Args:
        total: How many there are.
        unit: What they are, in the plural.
    """

    def __init__(self, total: int, unit: str) -> None:
        self._total = total
        self._unit = unit
        self._bar = None
        if sys.stderr.isatty():
            self._bar = tqdm.tqdm(total=total, unit=f" {unit}", dynamic_ncols=True)
        self._told = self._started = time.perf_counter()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, done: int) -> None:
        """Shows how many are done."""
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
            return
        now = time.perf_counter()
        if now - self._told > LINE_EVERY:
            self._told = now
            left = (now - self._started) / done * (self._total - done)
            print(f"{done:,}/{self._total:,} {self._unit}, {left:.0f} s left", file=sys.stderr)
