"""YOLO's text files, one per image; a line is an object: `class cx cy width height`.

A line of a segmentation dataset is `class x1 y1 x2 y2 x3 y3 ...`, an outline.
"""

import itertools
import os
from typing import Any

import numpy as np
import yaml

from jaxvision.data.annotations import from_rows
from jaxvision.data.errors import DataError, OnFault, shown, stop
from jaxvision.data.image import image_size, read_bytes
from jaxvision.data.readers.checks import (
    IMAGE_SUFFIXES,
    check_classes,
    check_files_exist,
    check_text,
    class_index,
    dropping,
    files_exist,
    list_folder,
    read_text,
)
from jaxvision.data.segmentations import Segmentations
from jaxvision.data.sources.files import DetectionFiles

# Rounded fractions exceed 1 a little; pixels exceed it by far.
_LARGEST = 1.01
_MAX_YAML, _MAX_NESTING = 1 << 20, 20  # characters, brackets
# How YAML writes that there is nothing.
_NULL = ("", "~", "null", "Null", "NULL")


class _Loader(yaml.BaseLoader):
    """Reads every scalar as it is written: a class `yes` or `2024-01-01` is a name."""

    def fetch_flow_collection_start(self, token: Any) -> None:
        """Refuses deep nesting, in which the scanner takes quadratic time."""
        if self.flow_level >= _MAX_NESTING:
            raise yaml.YAMLError(f"lists and mappings are nested more than {_MAX_NESTING} deep")
        super().fetch_flow_collection_start(token)

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuses aliases: a few of them can stand for more values than fit into memory."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.YAMLError(f"line {mark.line + 1}: write the value itself in place of *alias")
        return super().compose_node(parent, index)


def yolo(
    path: str,
    split: str,
    *,
    classes: tuple[str, ...] | None = None,
    strict: bool = False,
    masks: bool = False,
    on_fault: OnFault = stop,
) -> DetectionFiles:
    """Opens a split of a dataset in YOLO's format.

    The objects of an image `images/<split>/a.jpg` are in `labels/<split>/a.txt`; without that file
    it has none. `data.yaml`, in Ultralytics' format, gives the class names and may place the splits
    elsewhere; instead, `classes.txt` may give the names, one per line.

    Args:
        path: Folder of the dataset, or its `data.yaml`.
        split: `train`, `val`, ...; or a folder of images or a list of them `*.txt`, relative to
            `path`.
        classes: The classes to use, in order. Where the dataset names its own, objects are matched
            by name, otherwise their numbers index this list.
        strict: As for `detection_source`.
        masks: Keeps the outlines of the objects and gives samples with instance masks; a box
            without outline is a mask of its own. Reads the size of every image.
        on_fault: Called with the error of each image and line that cannot be used; if it returns,
            they are dropped.
    """
    root, settings, file = _settings(path)
    own, names_file = _names(root, settings, file)
    if own is None and classes is None:
        raise DataError(
            f"{names_file}: no class names; expected `names` in data.yaml, or classes.txt, in "
            f"{root}"
        )
    names = check_classes(classes or (own or {}).values(), names_file, on_fault)

    pictures = _pictures(root, settings, split, on_fault)
    image, boxes, labels, areas = [], [], [], []
    segmentations = Segmentations() if masks else None
    files = [os.path.join(root, label_path(picture)) for picture in pictures]
    labelled = itertools.compress(enumerate(files), files_exist("", files))
    for index, label_file in labelled:
        side = _sides(os.path.join(root, pictures[index])) if masks else np.ones(2)
        for line, where in _lines(label_file, on_fault):
            with dropping(on_fault):
                number, box, outline = _object(line, where, len(names if own is None else own))
                labels.append(number if own is None else class_index(own[number], names, where))
                image.append(index)
                boxes.append(box)
                areas.append(float("nan") if outline is None else _area(outline))
                if segmentations is not None:
                    polygon = None if outline is None else [(outline * side).ravel().tolist()]
                    segmentations.append(polygon, where)
    folders = dict.fromkeys(map(os.path.dirname, files))
    if folders and not any(os.path.isdir(each) and os.listdir(each) for each in folders):
        on_fault(
            DataError(
                f"{', '.join(folders)}: no label files for split {split!r}; expected "
                "labels/<split>/<name>.txt for images/<split>/<name>.jpg",
                code="no-labels",
            )
        )
    annotations = from_rows(
        root,
        pictures,
        None,
        image=image,
        boxes=boxes,
        classes=labels,
        area=areas,
        segmentations=segmentations,
    )
    return DetectionFiles(annotations, names, strict=strict)


def _settings(path: str) -> tuple[str, dict[str, Any], str]:
    """Returns the dataset's root folder, the content of data.yaml and its path."""
    if path.endswith((".yaml", ".yml")):
        folder, file = os.path.dirname(path), path
    else:
        folder, file = path, os.path.join(path, "data.yaml")
        if not os.path.exists(file):
            list_folder(path, "the dataset")
            return path, {}, file
    text = read_text(file, "dataset description")
    if len(text) > _MAX_YAML:
        raise DataError(f"{file}: expected a description of at most {_MAX_YAML:,} characters")
    try:
        settings = yaml.load(text, _Loader)
    # ValueError: a character that no number stands for.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(f"{file}: broken YAML: {error}") from error
    if not isinstance(settings, dict):
        raise DataError(f"{file}: expected `names:` and folders of the splits")
    settings = {k: v for k, v in settings.items() if not (isinstance(v, str) and v in _NULL)}
    # `path:` is often valid on one machine only; the folder of the file itself always exists.
    root = os.path.join(folder, str(settings.get("path", "")))
    return (root if os.path.isdir(root) else folder), settings, file


def _names(root: str, settings: dict[str, Any], file: str) -> tuple[dict[int, str] | None, str]:
    """Returns the dataset's class names by number, None if it has none, and where they stand."""
    names = settings.get("names")
    if isinstance(names, list):
        names = {str(number): name for number, name in enumerate(names)}
    if isinstance(names, dict):
        numbers = [str(number) for number in range(len(names))]
        if names.keys() != set(numbers):
            raise DataError(
                f"{file}: names must number the classes from 0, got {shown(list(names))}"
            )
        for name in names.values():
            if not isinstance(name, str):
                raise DataError(f"{file}: names must be text, got {shown(name)}")
            check_text(name, f"{file}: names")
        return {int(number): names[number] for number in numbers}, f"{file}: names"
    if names is not None:
        raise DataError(f"{file}: names must be a list or a mapping, got {shown(names)}")
    for text in (os.path.join(root, "classes.txt"), os.path.join(root, "labels", "classes.txt")):
        if os.path.exists(text):
            lines = [line.strip() for line in read_text(text, "class names").splitlines()]
            return dict(enumerate(line for line in lines if line)), text
    return None, file


def _pictures(root: str, settings: dict[str, Any], split: str, on_fault: OnFault) -> list[str]:
    """Returns the images of a split, relative to the root."""
    places = settings.get(split, split if "/" in split or split.endswith(".txt") else None)
    if places is None:
        places = os.path.join("images", split)
        if not os.path.isdir(os.path.join(root, places)):
            raise DataError(
                f"{os.path.join(root, places)}: no split {split!r}; {_known_splits(root, settings)}"
            )
    pictures = []
    for place in places if isinstance(places, list) else [places]:
        if not isinstance(place, str):
            raise DataError(f"{root}: the split {split!r} must be a folder, got {shown(place)}")
        # Roboflow writes ../train/images although its data.yaml is in the root.
        if not os.path.exists(os.path.join(root, place)) and place.startswith("../"):
            place = place.removeprefix("../")
        full = os.path.join(root, place)
        if place.endswith(".txt"):
            lines = [line.strip() for line in read_text(full, "list of images").splitlines()]
            listed = [os.path.normpath(line) for line in lines if line]
        else:
            listed = [
                os.path.join(place, name)
                for name in list_folder(full, f"images of split {split!r}")
                if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES
            ]
        if not listed:
            raise DataError(f"{full}: the split {split!r} is empty; expected images")
        if place.endswith(".txt"):
            listed = itertools.compress(listed, check_files_exist(root, listed, full, on_fault))
        pictures += listed
    return pictures


def _known_splits(root: str, settings: dict[str, Any]) -> str:
    """Says which splits there are."""
    images = os.path.join(root, "images")
    folders = list_folder(images, "images") if os.path.isdir(images) else []
    names = [name for name in folders if os.path.isdir(os.path.join(images, name))]
    names += [name for name in ("train", "val", "test") if name in settings and name not in names]
    if not names:
        return "expected images/<split>, or data.yaml that says where the splits are"
    return f"there are {', '.join(names)}"


def label_path(picture: str) -> str:
    """Returns the label file of an image: the last folder `images` in its path becomes `labels`."""
    parts = os.path.splitext(picture)[0].split(os.sep)
    for position in reversed(range(len(parts) - 1)):
        if parts[position] == "images":
            parts[position] = "labels"
            break
    return os.sep.join(parts) + ".txt"


def _lines(file: str, on_fault: OnFault) -> list[tuple[str, str]]:
    """Returns each line that is not blank, with its file and number."""
    lines = []
    with dropping(on_fault):
        lines = read_text(file, "labels").splitlines()
    return [
        (line, f"{file}, line {number}") for number, line in enumerate(lines, 1) if line.strip()
    ]


def _object(line: str, where: str, count: int) -> tuple[int, tuple[float, ...], np.ndarray | None]:
    """Returns the class number, of `count`, and box, xyxy, and outline [P, 2], as fractions."""
    fields = line.split()
    try:
        label, *values = map(float, fields)
    except ValueError:
        values, label = [], 0.0
    if len(values) != 4 and (len(values) < 6 or len(values) % 2):
        raise DataError(
            f"{where}: expected `class cx cy width height`, 5 numbers, or an outline `class x1 y1 "
            f"x2 y2 x3 y3 ...`, got {line.strip()!r}"
        )
    if not label.is_integer():
        raise DataError(f"{where}: the class must be a whole number, got {fields[0]}")
    if not all(1 - _LARGEST <= value <= _LARGEST for value in values):
        what = "centre and size" if len(values) == 4 else "x and y"
        raise DataError(
            f"{where}: {what} must be fractions of the image, in [0, 1], got "
            f"{' '.join(fields[1:])}; are these pixels?"
        )
    if not 0 <= label < count:
        raise DataError(
            f"{where}: unknown class {int(label)}; the {count} classes are 0 to {count - 1}",
            code="unknown-class",
        )
    if len(values) == 4:
        cx, cy, width, height = values
        return int(label), (cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2), None
    outline = np.array(values).reshape(-1, 2)
    return int(label), (*outline.min(axis=0).tolist(), *outline.max(axis=0).tolist()), outline


def _area(outline: np.ndarray) -> float:
    """Area of a polygon [P, 2], as a share of the image."""
    x, y = outline.T
    return float(abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2)


def _sides(file: str) -> np.ndarray:
    """Returns width and height of an image in pixels [2]."""
    height, width = image_size(read_bytes(file), file)
    return np.array([width, height], np.float64)
