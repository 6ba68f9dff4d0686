"""`predictions.json`: a list of what `to_dict` gives, with the file that each belongs to."""

import contextlib
import json
import pathlib
from collections.abc import Iterator

from jaxvision.data.files import replacing
from jaxvision.inference.outputs.item import Add, Item
from jaxvision.inference.result import Result


@contextlib.contextmanager
def json_list(folder: pathlib.Path) -> Iterator[Add]:
    """Writes `predictions.json`, one result a line."""
    with replacing(folder / "predictions.json") as temporary, temporary.open("w") as file:
        separator = "[\n"

        def add(item: Item, result: Result) -> None:
            nonlocal separator
            values = item.columns() | {
                name: value for name, value in result.to_dict().items() if value is not None
            }
            file.write(separator + json.dumps(values, ensure_ascii=False))
            separator = ",\n"

        yield add
        file.write("[]\n" if separator == "[\n" else "\n]\n")
