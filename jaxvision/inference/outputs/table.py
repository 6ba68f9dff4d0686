"""`predictions.csv`: a row for each object, class or sentence."""

import contextlib
import csv
import pathlib
from collections.abc import Iterator
from typing import Any

from jaxvision.data.files import replacing
from jaxvision.inference.outputs.item import Add, Item
from jaxvision.inference.result import Result


@contextlib.contextmanager
def table(folder: pathlib.Path) -> Iterator[Add]:
    """Writes `predictions.csv`; the input's columns and then those of `Result.columns`."""
    with (
        replacing(folder / "predictions.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer: csv.DictWriter[Any] | None = None

        def add(item: Item, result: Result) -> None:
            nonlocal writer
            if writer is None:
                writer = csv.DictWriter(file, [*item.header, *result.columns])
                writer.writeheader()
            writer.writerows(item.columns() | row for row in result.rows())

        yield add
