"""COCO's instances JSON (https://cocodataset.org/#format-data)."""

import array
import dataclasses
import glob
import os
import re
from typing import Any, NamedTuple

import numpy as np

from jaxvision.data.annotations import Annotations, from_rows
from jaxvision.data.errors import DataError, OnFault, shown, stop
from jaxvision.data.readers.checks import (
    check_classes,
    check_file_name,
    check_files_exist,
    check_side,
    check_text,
    class_index,
    dropping,
    images_folder,
)
from jaxvision.data.readers.json_stream import read_json
from jaxvision.data.segmentations import Segmentations
from jaxvision.data.sources.files import DetectionFiles

# Some images may be missing; a folder that has none of the first ones is the wrong one.
_LOOKED_FOR = 20


def coco(
    path: str,
    split: str,
    *,
    classes: tuple[str, ...] | None = None,
    strict: bool = False,
    images: str | None = None,
    masks: bool = False,
    on_fault: OnFault = stop,
) -> DetectionFiles:
    """Opens a split of a dataset in COCO's format.

    Classes are the file's categories in the order of their ids. `iscrowd` becomes crowd; a missing
    `area`, or one of 0, is the box's.

    Departs from the reference (Megvii YOLOX): a box that begins left of the image keeps its right
    edge when it is clipped, where theirs is shifted.

    Args:
        path: The dataset's folder.
        split: `train2017` for `annotations/instances_train2017.json`, or a JSON file, relative to
            `path`.
        classes: As for `detection_source`.
        strict: As for `detection_source`.
        images: Folder of the images, relative to `path`; looked for in the usual places by default.
        masks: Keeps the polygons and run lengths of the objects and gives samples with instance
            masks; a box without either is a mask of its own.
        on_fault: Called with the error of each category, image and annotation that cannot be used;
            if it returns, they are dropped.
    """
    file = annotation_file(path, split)
    if not os.path.isfile(file):
        raise DataError(f"{file}: no such file; {_known_files(path)}")
    annotations, names = _read(file, classes, on_fault, masks)
    paths = [os.fsdecode(name) for name in annotations.paths]
    given = None if images is None else os.path.join(path, images)
    stem = os.path.splitext(os.path.basename(file))[0].removeprefix("instances_")
    first = paths[:_LOOKED_FOR]
    root = images_folder(file, path, first, given, stem=stem, may_be_empty=True)
    annotations = dataclasses.replace(annotations, root=root)
    there = check_files_exist(root, paths, f"images[].file_name in {file}", on_fault)
    return DetectionFiles(annotations.select(there), names, strict=strict)


def annotation_file(path: str, split: str) -> str:
    """Returns the path of a split's JSON."""
    file = split if split.endswith(".json") else f"annotations/instances_{split}.json"
    return os.path.join(path, file)


def _known_files(path: str) -> str:
    """Says which annotation files there are."""
    found = sorted(glob.glob("*.json", root_dir=path))
    found += sorted(glob.glob("annotations/*.json", root_dir=path))
    if not found:
        return f"expected annotations/instances_<split>.json in {path}, or the split as a file"
    splits = [re.fullmatch(r"annotations/instances_(.+)\.json", name) for name in found]
    names = [each[1] if each else name for each, name in zip(splits, found, strict=True)]
    return f"splits there are {', '.join(names)}"


class _Row(int):
    """The row number of an annotation, which a number in the file is not."""


# Stands for an annotation with an error.
_DROPPED = _Row(-1)
_CROWD = {0: False, 1: True, "0": False, "1": True}
# Fields of images and categories that are read.
_KEPT = ("id", "file_name", "width", "height", "name")


class _Rows:
    """Takes annotations out of the JSON while it is parsed: as dicts they take gigabytes."""

    def __init__(self, file: str, on_fault: OnFault, masks: bool) -> None:
        self.segmentations = Segmentations() if masks else None
        self.file = file
        self.on_fault = on_fault
        self.image: list[int | str] = []
        self.category: list[int] = []
        self.boxes = array.array("d")  # four numbers each
        self.crowd: list[bool] = []
        self.area = array.array("d")

    def take(self, parsed: dict[str, Any]) -> dict[str, Any] | _Row:
        """Replaces an annotation by its row number, and leaves of other entries what is needed."""
        if "bbox" not in parsed and "image_id" not in parsed:
            return {name: parsed[name] for name in _KEPT if name in parsed}
        with dropping(self.on_fault):
            return self._add(parsed)
        return _DROPPED

    def _add(self, parsed: dict[str, Any]) -> _Row:
        number = shown(parsed["id"]) if "id" in parsed else f"number {len(self.image)}"
        where = f"{self.file}: annotation {number}"
        for field in ("image_id", "category_id", "bbox"):
            if field not in parsed:
                raise DataError(f"{where}: no field {field!r}; expected an instances file of COCO")
            if field != "bbox" and not isinstance(parsed[field], int | str):
                raise DataError(f"{where}: {field} must be an id, got {shown(parsed[field])}")
        box = parsed["bbox"]
        if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
            raise DataError(
                f"{where}: bbox must be 4 numbers [x, y, width, height], got {shown(box)}"
            )
        area = parsed.get("area")
        if area is not None and not _is_number(area):
            raise DataError(f"{where}: area must be a number, got {shown(area)}")
        crowd = parsed.get("iscrowd", 0)
        if not isinstance(crowd, int | str) or crowd not in _CROWD:
            raise DataError(f"{where}: iscrowd must be 0 or 1, got {shown(crowd)}")
        x, y, width, height = map(float, box)
        if self.segmentations is not None:
            self.segmentations.append(parsed.get("segmentation"), where)
        self.image.append(parsed["image_id"])
        self.category.append(parsed["category_id"])
        self.boxes.extend((x, y, x + width, y + height))
        self.crowd.append(_CROWD[crowd])
        self.area.append(float("nan") if area is None else area)
        return _Row(len(self.image) - 1)


def _is_number(value: Any) -> bool:
    """Says whether a value is a number that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True


def _read(
    file: str, classes: tuple[str, ...] | None, on_fault: OnFault, masks: bool
) -> tuple[Annotations, tuple[str, ...]]:
    rows = _Rows(file, on_fault, masks)
    document = read_json(file, "COCO annotations", rows.take)
    if not isinstance(document, dict):
        raise DataError(f"{file}: expected a JSON object with images, annotations and categories")
    for field in ("images", "annotations", "categories"):
        if not isinstance(document.get(field), list):
            raise DataError(
                f"{file}: no list {field!r}; expected images, annotations and categories, got "
                f"{', '.join(sorted(document)) or 'nothing'}"
            )
    for entry in document["annotations"]:
        if not isinstance(entry, _Row):
            message = f"{file}: an annotation must have image_id and bbox, got {shown(entry)}"
            on_fault(DataError(message))

    categories = _categories(file, document["categories"], on_fault)
    names = check_classes(classes or categories.values(), f"{file}: categories", on_fault)
    images, faulty = _images(file, document["images"], on_fault)
    if not images:
        raise DataError(f"{file}: images is empty; expected at least one image", code="no-images")
    numbers = {number: position for position, number in enumerate(images)}

    order, image, labels = [], [], []
    known: dict[int, int] = {}
    for row in document["annotations"]:
        if not isinstance(row, _Row) or row == _DROPPED or rows.image[row] in faulty:
            continue
        with dropping(on_fault):
            category = rows.category[row]
            if rows.image[row] not in numbers:
                raise DataError(
                    f"{file}: an annotation has image_id {shown(rows.image[row])}, but images has "
                    "no such id",
                    code="unknown-image-id",
                )
            if category not in categories:
                raise DataError(
                    f"{file}: an annotation has category_id {shown(category)}; categories has the "
                    f"ids {', '.join(map(str, categories))}",
                    code="unknown-category-id",
                )
            if category not in known:
                path = images[rows.image[row]].path
                where = f"{file}: annotation of {path}, category_id {category}"
                known[category] = class_index(categories[category], names, where)
            order.append(row)
            image.append(numbers[rows.image[row]])
            labels.append(known[category])
    paths, sizes = zip(*images.values(), strict=True)
    return from_rows(
        os.path.dirname(file),
        paths,
        sizes,
        image=image,
        boxes=np.array(rows.boxes).reshape(-1, 4)[order],
        classes=labels,
        crowd=[rows.crowd[row] for row in order],
        area=np.array(rows.area)[order],
        segmentations=rows.segmentations and rows.segmentations.take(np.array(order, np.int64)),
    ), names


def _categories(file: str, entries: list[Any], on_fault: OnFault) -> dict[int, str]:
    """Returns the class names by id, in the order of the ids."""
    names = {}
    for entry in entries:
        number = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(number, int) or not isinstance(entry.get("name"), str):
            message = f"{file}: categories[] must have an id and a name, got {shown(entry)}"
            on_fault(DataError(message))
        elif number in names:
            message = f"{file}: categories has the id {number} twice"
            on_fault(DataError(message, code="repeated-category-id"))
        else:
            with dropping(on_fault):
                names[number] = check_text(entry["name"], f"{file}: categories[].name")
    return dict(sorted(names.items()))


class _Image(NamedTuple):
    path: str
    size: tuple[int, int]  # width and height


def _images(
    file: str, entries: list[Any], on_fault: OnFault
) -> tuple[dict[int | str, _Image], set[int | str]]:
    """Returns the images by their ids, and the ids of those that are dropped."""
    images: dict[int | str, _Image] = {}
    faulty: set[int | str] = set()
    for position, entry in enumerate(entries):
        try:
            image = _image(file, position, entry)
            if entry["id"] in images:
                message = f"{file}: images has the id {entry['id']!r} twice"
                raise DataError(message, code="repeated-image-id")
        except DataError as fault:
            on_fault(fault)
            number = entry.get("id") if isinstance(entry, dict) else None
            if isinstance(number, int | str):
                faulty.add(number)
            continue
        images[entry["id"]] = image
    # The first image with a repeated id stays.
    return images, faulty - set(images)


def _image(file: str, position: int, entry: Any) -> _Image:
    where = f"{file}: images[{position}]"
    for field, kind in (("id", int | str), ("file_name", str)):
        value = entry.get(field) if isinstance(entry, dict) else None
        if not isinstance(value, kind):
            raise DataError(f"{where} has no valid {field!r}, got {shown(value)}")
    name = check_file_name(entry["file_name"], f"{where}.file_name")
    width, height = (
        check_side(entry.get(side), f"{where}, {name}: {side!r}") for side in ("width", "height")
    )
    return _Image(name, (width, height))
