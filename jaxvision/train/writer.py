"""Metrics and pictures of a run: `metrics.jsonl`, TensorBoard events, PNG files."""

import json
import math
import pathlib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import numpy as np
import tensorboardX

from jaxvision.data.png import write_png

# The step at the end of a picture's name.
_STEP = re.compile(r"_(\d{8,})\.png$")


class Writer(Protocol):
    """Where metrics and pictures of a run go."""

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Records metrics of a step."""
        ...

    def picture(self, step: int, name: str, image: np.ndarray) -> None:
        """Records an RGB picture [H, W, 3] uint8."""
        ...

    def close(self) -> None:
        """Ends the record."""
        ...


class MetricWriter:
    """Appends to the metrics of a work directory.

    Args:
        workdir: Gets `metrics.jsonl`, one object a line with `step` and metric names, and
            TensorBoard events in `tensorboard/`; pictures go to `plots/` too.
    """

    def __init__(self, workdir: pathlib.Path) -> None:
        self._path = workdir / "metrics.jsonl"
        _drop_torn_line(self._path)
        self._file = self._path.open("a")
        self._plots = workdir / "plots"
        self._events = tensorboardX.SummaryWriter(str(workdir / "tensorboard"))

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Records metrics of a step, without those that are NaN or infinite."""
        finite = {k: float(v) for k, v in metrics.items() if math.isfinite(v)}
        self._file.write(json.dumps({"step": step, **finite}) + "\n")
        self._file.flush()
        for name, value in finite.items():
            self._events.add_scalar(name, value, step)

    def picture(self, step: int, name: str, image: np.ndarray) -> None:
        """Records an RGB picture [H, W, 3] uint8, `val/x` in `plots/val_x_<step>.png` too."""
        write_png(self._plots / f"{name.replace('/', '_')}_{step:08}.png", image)
        self._events.add_image(name, image, step, dataformats="HWC")

    def close(self) -> None:
        """Flushes and closes the files."""
        self._file.close()
        self._events.close()


def keep_pictures(workdir: pathlib.Path, steps: Collection[int]) -> None:
    """Deletes the pictures in `plots/` that are of none of the steps."""
    for file in (workdir / "plots").glob("*.png"):
        found = _STEP.search(file.name)
        if found and int(found[1]) not in steps:
            file.unlink(missing_ok=True)


def _drop_torn_line(path: pathlib.Path) -> None:
    """Cuts off the incomplete last line of a killed run, which is not JSON."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)


def table(metrics: Mapping[str, float], sets: Sequence[str]) -> str:
    """Lays out metrics for a terminal.

    Args:
        metrics: Values by their full names. Of a set `val`, names as `val/AP` go to a line
            `name value`; names as `val/AP/cat` to a row `cat` and a column `AP`. NaN shows as a
            dash.
        sets: Names of the sets; each gets a title where there are several.
    """
    by_set: dict[str, dict[str, float]] = {name: {} for name in sets}
    for full_name, value in metrics.items():
        # The longest, for there may be `val` and `val/set5`.
        owner = max((s for s in sets if full_name.startswith(f"{s}/")), key=len)
        by_set[owner][full_name.removeprefix(f"{owner}/")] = value
    tables = [
        (f"{name}\n" if len(sets) > 1 else "") + _table(found)
        for name, found in by_set.items()
        if found
    ]
    return "\n\n".join(tables)


def _table(metrics: Mapping[str, float]) -> str:
    plain = {k: v for k, v in metrics.items() if "/" not in k}
    rows: dict[str, dict[str, float]] = {}
    for name, value in metrics.items():
        column, slash, row = name.partition("/")
        if slash:
            rows.setdefault(row, {})[column] = value
    columns = list(dict.fromkeys(c for row in rows.values() for c in row))
    width = max((len(n) for n in (*plain, *rows)), default=0)

    wide = max((len(column) + 2 for column in columns), default=0)
    wide = max(wide, 9)

    def cell(value: float | None) -> str:
        shown = "-" if value is None or not math.isfinite(value) else f"{value:.3f}"
        return f"{shown:>{wide}}"

    lines = [f"{name:<{width}}{cell(value)}" for name, value in plain.items()]
    if rows:
        lines += ["", " " * width + "".join(f"{c:>{wide}}" for c in columns)]
        lines += [
            f"{row:<{width}}" + "".join(cell(values.get(c)) for c in columns)
            for row, values in rows.items()
        ]
    return "\n".join(lines)
