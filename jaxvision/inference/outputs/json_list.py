"""`predictions.json`: a list of what `to_dict` gives, with the file that each belongs to."""

import contextlib
import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

from jaxvision.data.files import replacing
from jaxvision.inference.outputs.item import Add, Item
from jaxvision.inference.result import Result


@contextlib.contextmanager
def json_list(folder: pathlib.Path) -> Iterator[Add]:
    """Writes `predictions.json`, one result a line."""
    with writing_list(folder / "predictions.json") as write:

        def add(item: Item, result: Result) -> None:
            found = {name: value for name, value in result.to_dict().items() if value is not None}
            write(item.columns() | found)

        yield add


@contextlib.contextmanager
def writing_list(path: pathlib.Path) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Writes a list of JSON objects, one a line, as they come."""
    with (
        replacing(path) as temporary,
        # Bytes of a file's name that are not UTF-8 become an escape of JSON.
        temporary.open("w", encoding="utf-8", errors="backslashreplace") as file,
    ):
        separator = "[\n"

        def write(values: dict[str, Any]) -> None:
            nonlocal separator
            file.write(separator + json.dumps(values, ensure_ascii=False))
            separator = ",\n"

        yield write
        file.write("[]\n" if separator == "[\n" else "\n]\n")
