"""What a person sees while work goes on: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Mapping
from typing import TextIO

import tqdm

# Seconds between two lines of `step` where there is no terminal for a bar.
LINE_EVERY = 30.0


class Progress:
    """Shows how much is done, the time left and, of a training run, losses and speed.

    Args:
        total: How many there are.
        unit: What they are, in the plural.
        start: How many were done before.
        stream: Where to, by default stderr; a bar where it is a terminal.
    """

    def __init__(
        self, total: int, unit: str = "steps", *, start: int = 0, stream: TextIO | None = None
    ) -> None:
        self._stream = stream or sys.stderr
        self._total = total
        self._unit = unit
        self._bar = None
        if self._stream.isatty():
            self._bar = tqdm.tqdm(
                total=total,
                initial=start,
                unit=f" {unit}",
                file=self._stream,
                dynamic_ncols=True,
                smoothing=0.05,
                bar_format="{n_fmt}/{total_fmt}{unit} {percentage:.0f}%|{bar:12}| "
                "{remaining}{postfix}",
            )
        self._started = self._shown = time.perf_counter()
        self._paused = 0.0
        self._start = start

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __call__(self, done: int) -> None:
        """Shows how many are done: on the bar, or in a line now and then."""
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
        elif time.perf_counter() - self._shown > LINE_EVERY:
            self.message(f"{done:,}/{self._total:,} {self._unit}  left {self._left(done)}")

    def pause(self, seconds: float) -> None:
        """Leaves time that was not spent on the work, as an evaluation's, out of the estimate."""
        self._paused += seconds

    def log(self, step: int, epoch: str, metrics: Mapping[str, float]) -> None:
        """Shows where a training run is: a few of its metrics, as `summary` chooses them."""
        if self._bar is not None:
            self._bar.set_postfix_str(f"  {epoch}  {summary(metrics)}")
            return
        shown = f"{epoch}  step {step}/{self._total}  {summary(metrics)}"
        self.message(f"{shown}  left {self._left(step)}")

    def message(self, text: str) -> None:
        """Prints a line, above the bar where there is one."""
        self._shown = time.perf_counter()
        if self._bar is not None:
            self._bar.write(text, file=self._stream)
        else:
            print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """Ends the bar."""
        if self._bar is not None:
            self._bar.close()  # a second time does nothing

    def _left(self, done: int) -> str:
        spent = time.perf_counter() - self._started - self._paused
        return duration(spent / max(done - self._start, 1) * (self._total - done))


class Speed:
    """Counts examples and the time that training took for them."""

    def __init__(self) -> None:
        self._examples = 0
        self._since = time.perf_counter()

    def add(self, examples: int) -> None:
        """Takes the examples of a step into account."""
        self._examples += examples

    def pause(self, seconds: float) -> None:
        """Leaves time that was not spent on training out."""
        self._since += seconds

    def take(self) -> float:
        """Examples per second since the last call."""
        now = time.perf_counter()
        speed = self._examples / (now - self._since)
        self._examples, self._since = 0, now
        return speed


def summary(metrics: Mapping[str, float]) -> str:
    """Lays out a line: the loss, metrics of evaluations, the speed; the rest is in the files."""
    parts = [f"loss {metrics['train/loss']:.4g}"] if "train/loss" in metrics else []
    parts += [f"{k} {v:.4g}" for k, v in metrics.items() if not k.startswith("train/")]
    if (speed := metrics.get("train/examples_per_second")) is not None:
        parts.append(f"{speed:.3g} examples/s")
    return "  ".join(parts)


def duration(seconds: float) -> str:
    """Writes a time as 1:05 or 2:00:05."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
