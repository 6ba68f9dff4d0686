"""Checks of what the formats hold and training does not look at."""

import ntpath
import os
from collections import Counter
from typing import Any

from jaxvision.check.findings import Finding, first
from jaxvision.data.readers.checks import IMAGE_SUFFIXES, list_folder
from jaxvision.data.readers.coco import annotation_file
from jaxvision.data.readers.json_stream import read_json
from jaxvision.data.readers.voc import read_xml
from jaxvision.data.readers.yolo import label_path
from jaxvision.data.sources.files import DetectionFiles


def check_format(
    format_name: str, path: str, split: str, split_name: str, source: DetectionFiles
) -> list[Finding]:
    """Runs the check that there is for a format.

    Args:
        format_name: `voc`, `coco`, ...
        path: Folder of the dataset.
        split: `train` or `val`.
        split_name: The split as the reader was given it.
        source: The split, opened.
    """
    if format_name == "voc":
        return _voc_file_names(split, source)
    if format_name == "coco":
        return _coco_annotation_ids(split, annotation_file(path, split_name))
    if format_name == "yolo":
        return _yolo_unused_labels(split, source)
    return []


def _voc_file_names(split: str, source: DetectionFiles) -> list[Finding]:
    """Compares `filename` in each XML with the image that is read; the suffix may differ."""
    examples = []
    for index in range(len(source)):
        folder, name = os.path.split(source.name(index))
        stem = os.path.splitext(name)[0]
        file = os.path.join(os.path.dirname(folder), "Annotations", f"{stem}.xml")
        named = (read_xml(file).findtext("filename") or "").strip()
        # Some tools write a path, also of Windows, and some leave the suffix out.
        base = ntpath.basename(named)
        if named and stem not in (base, os.path.splitext(base)[0]):
            examples.append((file, f"filename is {named}, the image is {name}"))
    return first("misnamed-annotation", split, len(examples), examples)


def _coco_annotation_ids(split: str, file: str) -> list[Finding]:
    def take(parsed: dict[str, Any]) -> Any:
        # Annotations go as they are parsed: all of COCO's at once need gigabytes.
        return parsed.get("id") if "bbox" in parsed and "image_id" in parsed else parsed

    ids = read_json(file, "COCO annotations", take)["annotations"]
    counts = Counter(number for number in ids if isinstance(number, int | str))
    repeated = [(number, count) for number, count in counts.items() if count > 1]
    examples = [(file, f"annotation {number!r}, {count} times") for number, count in repeated]
    return first("repeated-annotation-id", split, len(repeated), examples)


def _yolo_unused_labels(split: str, source: DetectionFiles) -> list[Finding]:
    """Compares the names in each folder of labels with those in its folder of images."""
    root = source.annotations.root
    pictures_of: dict[str, str] = {}
    for name in source.annotations.paths:
        picture = os.fsdecode(name)
        pictures_of.setdefault(os.path.dirname(label_path(picture)), os.path.dirname(picture))
    examples = []
    for labels, images in pictures_of.items():
        labels, images = os.path.join(root, labels), os.path.join(root, images)
        if not os.path.isdir(labels):
            continue
        pictures = {
            os.path.splitext(name)[0]
            for name in list_folder(images, "images")
            if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES
        }
        for name in list_folder(labels, "labels"):
            stem, suffix = os.path.splitext(name)
            if suffix == ".txt" and name != "classes.txt" and stem not in pictures:
                examples.append((os.path.join(labels, name), f"no image {stem}.* in {images}"))
    return first("unused-label", split, len(examples), examples)
