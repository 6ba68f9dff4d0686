"""Pascal VOC's XML (http://host.robots.ox.ac.uk/pascal/VOC/)."""

import math
import os
import xml.etree.ElementTree as ElementTree

from jaxvision.data.annotations import from_rows
from jaxvision.data.errors import DataError, OnFault, stop
from jaxvision.data.image import read_bytes
from jaxvision.data.readers.checks import (
    IMAGE_SUFFIXES,
    check_classes,
    check_file_name,
    check_side,
    class_index,
    dropping,
    list_folder,
    read_text,
)
from jaxvision.data.sources.files import DetectionFiles


def voc(
    path: str,
    split: str,
    *,
    classes: tuple[str, ...] | None = None,
    strict: bool = False,
    ignore_difficult: bool = False,
    on_fault: OnFault = stop,
) -> DetectionFiles:
    """Opens a split of a dataset in Pascal VOC's format.

    Coordinates in the XML count pixels from 1 and include the last one: pixel xmin..xmax covers
    [xmin - 1, xmax]. Objects marked `difficult` are treated as all others, as in the reference
    (Megvii YOLOX); to ignore them in evaluation, as VOC's own does, open the evaluation split with
    `ignore_difficult`. Classes are all names that occur in the split, sorted.

    Departs from the reference: there the last pixel is not included, boxes are one pixel smaller.

    Args:
        path: Folder with `Annotations`, `ImageSets` and `JPEGImages`, or a folder of such folders.
        split: `trainval` for `ImageSets/Main/trainval.txt`, or a list of names in a file `*.txt`
            relative to `path`. Several are joined by `+`, and folders go before the name:
            `VOC2007/trainval+VOC2012/trainval`.
        classes: As for `detection_source`.
        strict: As for `detection_source`.
        ignore_difficult: Makes difficult objects crowds: not trained on, and ignored by the metric.
        on_fault: Called with the error of each image and object that cannot be used; if it
            returns, they are dropped.
    """
    paths, sizes, objects = [], [], []
    for part in split.split("+"):
        for picture, file in _members(path, part.strip(), on_fault):
            with dropping(on_fault):
                size, found = _read(file)
                objects += [(len(paths), file, *each) for each in found]
                paths.append(os.path.relpath(picture, path))
                sizes.append(size)

    if classes is None:
        classes = tuple(sorted({name for _, _, name, _, _ in objects}))
    names = check_classes(classes, f"{path}: objects of split {split!r}")
    image, boxes, labels, difficult = [], [], [], []
    for number, file, name, box, hard in objects:
        with dropping(on_fault):
            labels.append(class_index(name, names, f"{file}: object/name"))
            image.append(number)
            boxes.append(box)
            difficult.append(hard and ignore_difficult)
    annotations = from_rows(
        path, paths, sizes, image=image, boxes=boxes, classes=labels, crowd=difficult
    )
    return DetectionFiles(annotations, names, strict=strict)


def _members(path: str, part: str, on_fault: OnFault) -> list[tuple[str, str]]:
    """Returns image and annotation file of each member of one split."""
    if part.endswith(".txt"):
        root, file = path, os.path.join(path, part)
        # The list of one of several datasets: its folder is above ImageSets.
        if "/ImageSets/" in file:
            root = file.split("/ImageSets/")[0]
    else:
        folder, name = os.path.split(part)
        root = os.path.join(path, folder) if folder else path
        file = os.path.join(root, "ImageSets", "Main", f"{name}.txt")
        sets = os.path.dirname(file)
        if not os.path.exists(file) and os.path.isdir(sets):
            known = [entry[:-4] for entry in list_folder(sets, "splits") if entry.endswith(".txt")]
            raise DataError(f"{file}: no split {name!r}; {sets} has {', '.join(known)}")
    lines = map(str.strip, read_text(file, "list of the split").splitlines())
    members = [check_file_name(line, f"{file}: a name of an image") for line in lines if line]
    if not members:
        raise DataError(f"{file}: the split is empty; expected a name of an image on each line")

    images = os.path.join(root, "JPEGImages")
    pictures: dict[str, str] = {}
    for entry in list_folder(images, "images"):
        stem, suffix = os.path.splitext(entry)
        if suffix.lower() in IMAGE_SUFFIXES:
            pictures.setdefault(stem, entry)
    missing = [member for member in members if member not in pictures]
    for member in missing:
        on_fault(
            DataError(
                f"{os.path.join(images, member)}.jpg: the image is missing, but {file} names it "
                f"({len(missing):,} of {len(members):,} images are missing)",
                code="missing-image",
            )
        )
    labels = os.path.join(root, "Annotations")
    return [
        (os.path.join(images, pictures[member]), os.path.join(labels, f"{member}.xml"))
        for member in members
        if member in pictures
    ]


def read_xml(file: str) -> ElementTree.Element:
    """Parses an annotation; DataError if it is missing, broken, or has declarations."""
    # As bytes: XML names its own encoding.
    text = read_bytes(file, "VOC annotation", "missing-annotation")
    try:
        return ElementTree.fromstring(text, ElementTree.XMLParser(target=_Builder()))
    except DataError as error:
        raise DataError(f"{file}: {error}") from None
    # LookupError and ValueError: an encoding that Python does not know, or expat does not take.
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise DataError(f"{file}: broken XML: {error}. Export the annotation again.") from error


def _read(file: str) -> tuple[tuple[int, int], list[tuple[str, tuple[float, ...], bool]]]:
    """Returns the size (width, height) and name, box and difficulty of each object."""
    root = read_xml(file)
    width, height = (_side(file, root, f"size/{side}") for side in ("width", "height"))
    objects = []
    for element in root.iter("object"):
        name = (element.findtext("name") or "").strip()
        if not name:
            raise DataError(f"{file}: an object has no name")
        x1, y1, x2, y2 = (
            _number(file, element, f"bndbox/{edge}") for edge in ("xmin", "ymin", "xmax", "ymax")
        )
        hard = (element.findtext("difficult") or "0").strip() == "1"
        objects.append((name, (x1 - 1, y1 - 1, x2, y2), hard))
    return (width, height), objects


def _side(file: str, root: ElementTree.Element, field: str) -> int:
    value = _number(file, root, field)
    whole = round(value) if math.isfinite(value) else value
    return check_side(whole, f"{file}: {field}", root.findtext(field))


class _Builder(ElementTree.TreeBuilder):
    """Builds the tree of a document that declares nothing."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Raises an error: declarations can make a small file a large tree."""
        raise DataError("expected an annotation of VOC, got XML with a document type; remove it")


def _number(file: str, element: ElementTree.Element, field: str) -> float:
    text = element.findtext(field)
    if text is None:
        raise DataError(f"{file}: no field {element.tag}/{field}; expected a number")
    try:
        return float(text)
    except ValueError:
        raise DataError(f"{file}: {element.tag}/{field} must be a number, got {text!r}") from None
