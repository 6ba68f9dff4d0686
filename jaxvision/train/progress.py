"""What a person sees while a run goes on: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Mapping
from typing import TextIO

import tqdm


class Progress:
    """Shows steps, speed, losses and the time left.

    Args:
        start_step: Steps already made.
        total_steps: Steps of the whole run.
        stream: Where to; a bar where it is a terminal.
    """

    def __init__(self, start_step: int, total_steps: int, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._total = total_steps
        self._bar = None
        if self._stream.isatty():
            self._bar = tqdm.tqdm(
                total=total_steps,
                initial=start_step,
                file=self._stream,
                dynamic_ncols=True,
                smoothing=0.05,
                bar_format="{n_fmt}/{total_fmt} {percentage:.0f}%|{bar:12}| {remaining}{postfix}",
            )
        self._started = time.perf_counter()
        self._paused = 0.0
        self._start_step = start_step

    def step(self, step: int) -> None:
        """Counts one step."""
        if self._bar is not None:
            self._bar.update(step - self._bar.n)

    def pause(self, seconds: float) -> None:
        """Leaves time that was not spent on steps, as an evaluation's, out of the estimate."""
        self._paused += seconds

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Shows the metrics of a step."""
        parts = summary(metrics)
        if self._bar is not None:
            self._bar.set_postfix_str("  " + parts)
            return
        spent = time.perf_counter() - self._started - self._paused
        left = spent / max(step - self._start_step, 1) * (self._total - step)
        self.message(f"step {step}/{self._total}  {parts}  left {duration(left)}")

    def message(self, text: str) -> None:
        """Prints a line, above the bar where there is one."""
        if self._bar is not None:
            self._bar.write(text, file=self._stream)
        else:
            print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """Ends the bar."""
        if self._bar is not None:
            self._bar.close()  # a second time does nothing


def summary(metrics: Mapping[str, float]) -> str:
    """Lays out training metrics in a line, most wanted first: a narrow terminal cuts the end."""
    values = {name.removeprefix("train/"): value for name, value in metrics.items()}
    first = {"loss": "loss", "images_per_second": "images/s", "learning_rate": "lr"}
    parts = [f"{short} {values.pop(name):.4g}" for name, short in first.items() if name in values]
    return "  ".join([*parts, *(f"{name} {value:.4g}" for name, value in values.items())])


def duration(seconds: float) -> str:
    """Writes a time as 1:05 or 2:00:05."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
