"""Readers that are told to go on hand over every fault and leave out what is at fault."""

import json

import pytest

from jaxvision.data.detection import detection_source
from jaxvision.data.errors import DataError


@pytest.fixture
def collect(tmp_path):
    """Opens a split of the dataset in `tmp_path`; returns it and the codes of its faults."""

    def collect(kind: str, classes: tuple[str, ...] | None = None):
        faults: list[DataError] = []
        source = detection_source(
            kind, str(tmp_path), "train", classes=classes, on_fault=faults.append
        )
        with pytest.raises(DataError) as first:
            detection_source(kind, str(tmp_path), "train", classes=classes)
        assert str(first.value) == str(faults[0])
        return source, [fault.code for fault in faults]

    return collect


def _objects(source) -> list[int]:
    return [len(source[index].objects.boxes) for index in range(len(source))]


def test_coco(collect, write_image, write_text):
    for name in "abd":
        write_image(f"train/{name}.png")
    size = {"width": 64, "height": 48}
    box = {"bbox": [1, 2, 9, 9]}
    document = {
        "categories": [
            {"id": 1, "name": "cat"},
            {"id": 1, "name": "cow"},
            {"name": "no id"},
            {"id": 2, "name": "dog"},
            {"id": 3, "name": "cat"},
        ],
        "images": [
            {"id": 1, "file_name": "a.png", **size},
            {"id": 2, "file_name": "b.png", **size},
            {"id": 2, "file_name": "d.png", **size},
            {"id": 3, "file_name": "gone.png", **size},
            {"id": 4, "file_name": "d.png", "width": 0, "height": 48},
        ],
        "annotations": [
            {"image_id": 1, "category_id": 1, **box},
            {"image_id": 1, "category_id": 3, **box},
            {"image_id": 2, "category_id": 2, **box},
            {"image_id": 3, "category_id": 2, **box},
            # Its image is left out: no fault of its own.
            {"image_id": 4, "category_id": 2, **box},
            {"image_id": 9, "category_id": 2, **box},
            {"image_id": 1, "category_id": 9, **box},
            {"image_id": 1, "category_id": [1], **box},
            {"image_id": 1, "category_id": 1, "bbox": [1, 2]},
            {"nothing": 1},
            None,
        ],
    }
    write_text("annotations/instances_train.json", json.dumps(document))
    source, codes = collect("coco")
    assert codes == [
        *("", ""),  # while the JSON is parsed: an id that is none, a box of two numbers
        *("", ""),  # not annotations
        *("repeated-category-id", "", "repeated-class", "repeated-image-id", ""),
        *("unknown-image-id", "unknown-category-id", "missing-image"),
    ]
    assert source.classes == ("cat", "dog")
    assert [source.name(index)[-5:] for index in range(2)] == ["a.png", "b.png"]
    assert _objects(source) == [2, 1] and source[0].objects.classes.tolist() == [0, 0]


def test_voc(collect, write_image, write_text):
    def annotation(*names: str) -> str:
        box = "<xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax>"
        objects = "".join(
            f"<object><name>{name}</name><bndbox>{box}</bndbox></object>" for name in names
        )
        return f"<a><size><width>64</width><height>48</height></size>{objects}</a>"

    for name in "abcd":
        write_image(f"JPEGImages/{name}.jpg")
    write_text("Annotations/a.xml", "<a>")
    write_text("Annotations/b.xml", annotation("cat", "cow", "cat"))
    write_text("Annotations/d.xml", annotation("cat"))
    write_text("ImageSets/Main/train.txt", "a\nb\ngone\nc\nlost\nd\n")
    source, codes = collect("voc", ("cat",))
    assert codes == ["missing-image"] * 2 + ["", "missing-annotation", "unknown-class"]
    assert _objects(source) == [2, 1]


def test_yolo(collect, write_image, write_text):
    for name in "abc":
        write_image(f"images/{name}.png")
    lines = ["0 .5 .5 .1 .1", "7 .5 .5 .1 .1", "one two", "0 50 50 9 9", "0 .2 .2 .1 .1"]
    write_text("labels/a.txt", "\n".join(lines))
    write_text("labels/b.txt", "")
    with open(write_text("labels/c.txt", ""), "wb") as file:
        file.write(b"\xff")
    write_text("list.txt", "images/a.png\nimages/gone.png\nimages/b.png\nimages/c.png\n")
    write_text("data.yaml", "train: list.txt\nnames: [cat]\n")
    source, codes = collect("yolo")
    assert codes == ["missing-image", "unknown-class", "", "", ""]
    assert _objects(source) == [2, 0, 0]


def test_yolo_without_any_labels(collect, write_image, write_text):
    write_image("images/train/a.png")
    write_text("data.yaml", "names: [cat]\n")
    source, codes = collect("yolo")
    assert codes == ["no-labels"] and _objects(source) == [0]


def test_what_cannot_be_read_past_is_raised(tmp_path, write_text):
    write_text("annotations/instances_train.json", "{")
    with pytest.raises(DataError, match="broken JSON"):
        detection_source("coco", str(tmp_path), "train", on_fault=lambda fault: None)
