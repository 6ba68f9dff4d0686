"""Boxes in a table, one per row: `filename,width,height,class,xmin,ymin,xmax,ymax`."""

import array
import io
import math
import os
import sys
from collections.abc import Iterator
from csv import Error as TableError
from csv import reader as read_rows
from typing import NamedTuple

import numpy as np

from jaxvision.data.annotations import from_rows
from jaxvision.data.errors import DataError, OnFault, shown, stop
from jaxvision.data.readers.checks import (
    check_classes,
    check_file_name,
    check_files_exist,
    check_side,
    class_index,
    dropping,
    images_folder,
    list_folder,
    read_text,
)
from jaxvision.data.sources.files import DetectionFiles

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_COLUMNS = ("filename", "width", "height", "class", *_CORNERS)
_DELIMITERS = (",", ";", "\t")


def csv(
    path: str,
    split: str,
    *,
    classes: tuple[str, ...] | None = None,
    strict: bool = False,
    images: str | None = None,
    on_fault: OnFault = stop,
) -> DetectionFiles:
    """Opens a split of a dataset whose boxes are in a table.

    The first line names the columns, in any order and case; others than those above are ignored. A
    comma, a semicolon or a tab separates them. Boxes are pixels from 0, xmax and ymax are the first
    that no longer belong to the object: xmax - xmin is its width, as in COCO's format. The row of
    an image without objects has no class and no box. The rows of an image may be anywhere. Classes
    are all names that occur in the split, sorted.

    Args:
        path: The dataset's folder.
        split: `train` for `train.csv`, or a file `*.csv`, relative to `path`.
        classes: As for `detection_source`.
        strict: As for `detection_source`.
        images: Folder that the file names are relative to, relative to `path`. By default that of
            `<split>/`, `images/<split>/`, the table's own folder and `images/`, all beside the
            table, which holds the most of the images.
        on_fault: Called with the error of each faulty row and missing image; if it returns, they
            are dropped.
    """
    file = os.path.join(path, split if split.endswith(".csv") else f"{split}.csv")
    if not os.path.exists(file):
        folder = os.path.dirname(file)
        known = [name for name in list_folder(folder, "tables") if name.endswith(".csv")]
        raise DataError(f"{file}: no such table; {folder} has {', '.join(known) or 'no *.csv'}")
    table = _Table(file, classes)
    for line, fields in _rows(file, on_fault):
        with dropping(on_fault):
            table.take(line, fields)
    if not table.images:
        raise DataError(f"{file}: no image; expected a row `{','.join(_COLUMNS)}` for every object")

    paths = list(table.images)
    given = None if images is None else os.path.join(path, images)
    stem = os.path.splitext(os.path.basename(file))[0]
    root = images_folder(file, os.path.dirname(file), paths, given, stem=stem)
    there = check_files_exist(
        root,
        paths,
        lambda name: f"{file}, line {table.images[name].line},",
        on_fault,
        "Put it there, or take its rows out.",
    )
    used = sorted(set(table.labels)) if classes is None else classes
    names = check_classes(used, f"{file}: column class")
    numbers = {name: index for index, name in enumerate(names)}
    sizes = [(entry.width, entry.height) for entry in table.images.values()]
    labels, boxes = [numbers[label] for label in table.labels], np.array(table.boxes)
    annotations = from_rows(root, paths, sizes, image=table.numbers, boxes=boxes, classes=labels)
    return DetectionFiles(annotations.select(there), names, strict=strict)


class _Image(NamedTuple):
    width: int
    height: int
    line: int  # that named it first
    number: int


class _Table:
    """The rows read so far, in compact arrays: COCO has 860,001 boxes."""

    def __init__(self, file: str, classes: tuple[str, ...] | None) -> None:
        self.images: dict[str, _Image] = {}  # by the file's name, in the order of their numbers
        self.numbers = array.array("q")  # which image each object belongs to
        self.labels: list[str] = []
        self.boxes = array.array("d")  # four numbers an object
        self._file = file
        self._classes = classes

    def take(self, line: int, fields: dict[str, str]) -> None:
        """Adds a row; raises DataError, with nothing added, if it is faulty."""
        where = f"{self._file}, line {line}"
        if not fields["filename"]:
            raise DataError(f"{where}: filename is empty; expected the name of an image")
        name = os.path.normpath(fields["filename"])
        width, height = _pixels(where, fields, "width"), _pixels(where, fields, "height")
        image = self.images.get(name)
        if image is None:
            check_file_name(name, f"{where}: filename")
            image = _Image(width, height, line, len(self.images))
        if (width, height) != image[:2]:
            raise DataError(
                f"{where}: {name} has width x height {width} x {height} here and "
                f"{image.width} x {image.height} in line {image.line}; make them the same"
            )
        empty = [column for column in ("class", *_CORNERS) if not fields[column]]
        if empty and len(empty) < 5:
            raise DataError(
                f"{where}: {empty[0]} is empty; expected a class and four corners, or all five "
                "empty for an image without objects"
            )
        if not empty:
            if self._classes is not None:
                class_index(fields["class"], self._classes, f"{where}: class")
            self.boxes.extend([_number(where, fields, column) for column in _CORNERS])
            self.labels.append(sys.intern(fields["class"]))
            self.numbers.append(image.number)
        self.images.setdefault(name, image)


def _rows(file: str, on_fault: OnFault) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the line number and the fields of each row, by column."""
    text = read_text(file, "table of boxes")
    header = text.partition("\n")[0]
    # The separator under which most of the columns are found; a comma where all find none.
    delimiter = max(_DELIMITERS, key=lambda mark: len(set(_names(header, mark)) & set(_COLUMNS)))
    names = _names(header, delimiter)
    missing = [column for column in _COLUMNS if names.count(column) != 1]
    if missing:
        raise DataError(
            f"{file}, line 1: expected one column {', '.join(missing)} each; the header must be "
            f"`{','.join(_COLUMNS)}`, got {shown(header.strip())}"
        )
    positions = {column: names.index(column) for column in _COLUMNS}
    width = len(names)
    rows = read_rows(io.StringIO(text), delimiter=delimiter, strict=True)
    first = True
    while True:
        try:
            fields = next(rows, None)
        except TableError as error:
            first = False
            on_fault(
                DataError(
                    f"{file}, line {rows.line_num}: {error}; expected {width} fields, with quotes "
                    'around a field that holds a separator, and "" for a quote in it'
                )
            )
            continue
        if fields is None:
            return
        if first or not any(map(str.strip, fields)):
            first = False
            continue
        # Spreadsheets write empty columns after the last one.
        if len(fields) < width or any(field.strip() for field in fields[width:]):
            on_fault(
                DataError(
                    f"{file}, line {rows.line_num}: expected {width} fields as in the header, got "
                    f"{len(fields)}: {shown(delimiter.join(fields))}"
                )
            )
            continue
        yield rows.line_num, {name: fields[at].strip() for name, at in positions.items()}


def _names(header: str, delimiter: str) -> list[str]:
    """Returns the names of the columns."""
    try:
        return [name.strip().lower() for name in next(read_rows([header], delimiter=delimiter), [])]
    except TableError:  # a field longer than any name
        return []


def _number(where: str, fields: dict[str, str], column: str) -> float:
    try:
        value = float(fields[column])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(
            f"{where}: {column} must be a number of pixels, got {shown(fields[column])}"
        )
    return value


def _pixels(where: str, fields: dict[str, str], column: str) -> int:
    return check_side(_number(where, fields, column), f"{where}: {column}", fields[column])
