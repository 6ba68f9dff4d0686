"""Texts with a class each: a folder or a file for each class, or a table.

<path>/<split>/<class>/<name>.txt      a text a file
<path>/<split>/<class>.txt             a text a line, or .txt.gz
<path>/<split>.csv                     columns `text` and `label`; or .tsv
"""

import csv
import pathlib
from collections.abc import Iterator

from jaxvision.data.errors import DataError
from jaxvision.data.text.classes import TextClasses
from jaxvision.data.text.parallel import read_lines

_ENDINGS = (".txt", ".txt.gz")
_TABLES = {".csv": ",", ".tsv": "\t"}
# Columns of a table, each by the names it may have.
_COLUMNS = {"text": ("text", "sentence", "review"), "label": ("label", "class", "category")}
# Characters of a text, at most.
_LONGEST = 10_000_000


def text_folder(path: str, split: str, *, classes: tuple[str, ...] | None = None) -> TextClasses:
    """Opens a split with a folder or a file for each class.

    Args:
        path: Folder of the dataset.
        split: Name of a folder in it.
        classes: The classes, in order; by default the names of the folders or files, sorted.

    Raises:
        DataError: If there is no such folder, a class is unknown, or a text is empty or not UTF-8.
    """
    root = pathlib.Path(path) / split
    if not root.is_dir():
        raise DataError(f"{root} does not exist; expected a folder or a file for each class in it")
    members = {
        entry.name.removesuffix(".gz").removesuffix(".txt"): entry
        for entry in sorted(root.iterdir())
        if not entry.name.startswith(".") and (entry.is_dir() or entry.name.endswith(_ENDINGS))
    }
    rows = ((name, *text) for name, entry in members.items() for text in _texts(entry))
    return TextClasses.of(rows, str(root), sorted(members) if classes is None else classes)


def text_table(path: str, split: str, *, classes: tuple[str, ...] | None = None) -> TextClasses:
    """Opens a split that is a table, whose first line names the columns.

    Args:
        path: Folder of the dataset.
        split: Name of a file in it, without `.csv` or `.tsv`.
        classes: The classes, in order; by default all labels that occur, sorted.

    Raises:
        DataError: If there is no such file, a column or a field is missing, or a text is empty.
    """
    files = [pathlib.Path(path) / f"{split}{ending}" for ending in _TABLES]
    file = next((each for each in files if each.is_file()), None)
    if file is None:
        raise DataError(f"{files[0]} does not exist, and neither does {files[1].name}")
    return TextClasses.of(_rows(file), str(file), classes)


def _texts(entry: pathlib.Path) -> Iterator[tuple[str, str]]:
    """Yields the texts of a class, each after its place."""
    if entry.is_dir():
        for file in sorted(each for each in entry.iterdir() if each.name.endswith(_ENDINGS)):
            yield str(file), "\n".join(read_lines(file))
        return
    for line, text in enumerate(read_lines(entry), 1):
        if text:
            yield f"{entry}:{line}", text


def _rows(file: pathlib.Path) -> Iterator[tuple[str, str, str]]:
    """Yields class, place and text of each row."""
    csv.field_size_limit(_LONGEST)
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            table = csv.reader(stream, delimiter=_TABLES[file.suffix])
            header = [name.strip().lower() for name in next(table, [])]
            places = {
                column: next((header.index(name) for name in names if name in header), None)
                for column, names in _COLUMNS.items()
            }
            text, label = places["text"], places["label"]
            if text is None or label is None:
                raise DataError(
                    f"{file}:1: expected a line with the names of the columns text and label, got "
                    f"{', '.join(header) or 'an empty line'}"
                )
            for fields in table:
                place = f"{file}:{table.line_num}"
                if not fields:
                    continue
                if len(fields) != len(header):
                    raise DataError(
                        f"{place}: expected {len(header)} fields, got {len(fields)}; quote texts "
                        "that hold the separator"
                    )
                yield fields[label].strip(), place, fields[text]
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file}: expected UTF-8; convert the file, for example by iconv -f latin1 -t utf-8"
        ) from error
    except csv.Error as error:
        raise DataError(f"{file}:{table.line_num}: {error}") from error
