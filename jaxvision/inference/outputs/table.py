"""`predictions.csv`: a row for each object, class or sentence."""

import contextlib
import csv
import pathlib
from collections.abc import Iterator
from typing import Any

from jaxvision.data.files import replacing
from jaxvision.inference.outputs.item import Add, Item
from jaxvision.inference.result import Result

_COLUMNS = ("file", "frame", "seconds", "line")


@contextlib.contextmanager
def table(folder: pathlib.Path) -> Iterator[Add]:
    """Writes `predictions.csv`; columns are those of `Result.rows`, after those of the input."""
    with (
        replacing(folder / "predictions.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer: csv.DictWriter[Any] | None = None

        def add(item: Item, result: Result) -> None:
            nonlocal writer
            for row in result.rows():
                if writer is None:
                    writer = csv.DictWriter(file, [*_COLUMNS, *row])
                    writer.writeheader()
                writer.writerow(item.columns() | row)

        yield add
        if writer is None:  # nothing was found
            csv.writer(file).writerow(_COLUMNS)
