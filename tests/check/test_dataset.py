"""Sets with one fault of each kind: every one is found, at its file, and nothing else is."""

import re
import zlib
from pathlib import Path

import numpy as np
import planted
import pytest
from planted import GOOD, HEIGHT, WIDTH, Picture, jpeg

import jaxvision.data
from jaxvision.check.dataset import check_dataset
from jaxvision.check.kinds import KINDS
from jaxvision.data.detection import detection_source
from jaxvision.data.errors import DataError

SIZE = 64
OPTIONS = {"image_size": SIZE, "max_objects": 5}


def _seed(name: str) -> int:
    return zlib.crc32(name.encode())


def _with(name: str, *objects) -> Picture:
    return Picture(f"{name}.jpg", jpeg(_seed(name)), objects=(*GOOD, *objects))


def _pictures(tmp_path) -> list[Picture]:
    """A training split with the faults that every format can have."""
    crowd = [("cat", (8 * k, 30, 8 * k + 16, 46)) for k in range(4)]
    return [
        *planted.clean(3, 0, "train"),
        Picture("truncated.jpg", jpeg(_seed("truncated"))[:-300]),
        Picture("garbage.jpg", b"GARBAGE"),
        _with("outside", ("cat", (40, 2, 80, 12))),
        _with("degenerate", ("cat", (10, 10, 10, 20))),
        _with("twice", ("dog", (30, 10, 60, 44))),
        _with("two_classes", ("cat", (30, 10, 60, 44))),
        _with("tiny", ("cat", (1, 40, 2.5, 41.5))),
        _with("small", ("cat", (1, 40, 6, 45))),
        _with("whole", ("cat", (0, 0, WIDTH, HEIGHT))),
        _with("many", *crowd),
        Picture("empty.jpg", jpeg(_seed("empty")), objects=()),
        Picture("grey.png", planted.encode(planted.pixels(1001, 1), ".png")),
        Picture("alpha.png", planted.encode(planted.pixels(1002, 4), ".png")),
        Picture("deep.png", planted.encode(planted.pixels(1003, 3, np.uint16), ".png")),
        Picture("turned.jpg", planted.rotated(1004, tmp_path, 3)),
        Picture("copy.jpg", jpeg(0)),
    ]


def _validation() -> list[Picture]:
    """A split that has the class that training lacks, and a training image."""
    bird = Picture("val_bird.jpg", jpeg(500), objects=(*GOOD, ("bird", (1, 30, 20, 46))))
    return [bird, *planted.clean(2, 600, "val"), Picture("train1.jpg", jpeg(1))]


COMMON = {
    "truncated-image": "truncated.jpg",
    "unreadable-image": "garbage.jpg",
    "missing-image": "gone.jpg",
    "outside-box": "outside.jpg",
    "degenerate-box": "degenerate.jpg",
    "duplicate-box": "twice.jpg",
    "two-class-box": "two_classes.jpg",
    "tiny-box": "tiny.jpg",
    "small-box": "small.jpg",
    "full-image-box": "whole.jpg",
    "too-many-objects": "many.jpg",
    "image-without-objects": "empty.jpg",
    "greyscale": "grey.png",
    "alpha-channel": "alpha.png",
    "sixteen-bit": "deep.png",
    "duplicate-image": "copy.jpg",
    "image-in-both-splits": "train1.jpg",
    "class-without-objects": "bird",
}
SIZED = {
    "wrong-size": "resized.jpg",
    "swapped-sides": "sideways.jpg",
    "exif-rotation": "turned.jpg",
}


def _sized(tmp_path) -> list[Picture]:
    """Pictures whose annotated size is wrong."""
    return [
        Picture("resized.jpg", jpeg(_seed("resized")), size=(128, 96)),
        Picture("sideways.jpg", planted.rotated(1005, tmp_path, 6)),
    ]


def _assert_found(report, expected: dict[str, str]) -> None:
    found = {finding.code: finding for finding in report.findings}
    assert set(found) == set(expected)
    assert len(found) == len(report.findings)
    for code, file in expected.items():
        assert found[code].count == 1, code
        (example,) = found[code].examples
        assert file in f"{example.file}: {example.detail}", code
        assert not example.file.startswith("/")
    severities = [finding.kind.severity for finding in report.findings]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert not report.trainable


def test_voc(tmp_path):
    pictures = [*_pictures(tmp_path), *_sized(tmp_path)]
    names = ("gone", "unannotated", "broken", "misnamed", "cow", "nameless")
    pictures += [Picture(f"{name}.jpg", jpeg(_seed(name))) for name in names]
    planted.write_voc(tmp_path, "train", pictures)
    planted.write_voc(tmp_path, "val", _validation())
    annotations = tmp_path / "Annotations"
    (tmp_path / "JPEGImages" / "gone.jpg").unlink()
    (annotations / "unannotated.xml").unlink()
    (annotations / "broken.xml").write_text("<annotation>")
    misnamed = planted.voc_xml(Picture("misnamed.jpg", None), filename="other.jpg")
    (annotations / "misnamed.xml").write_text(misnamed)
    cow = _with("cow", ("cow", (1, 1, 20, 20)))
    (annotations / "cow.xml").write_text(planted.voc_xml(cow))

    splits = {"train": "train", "val": "val"}
    report, opened = check_dataset("voc", str(tmp_path), splits, classes=planted.CLASSES, **OPTIONS)
    _assert_found(
        report,
        COMMON
        | SIZED
        | {
            "missing-annotation": "unannotated.xml",
            "faulty-record": "broken.xml",
            "misnamed-annotation": "misnamed.xml",
            "unknown-class": "cow.xml",
        },
    )
    # gone, unannotated and broken are left out; of the others 4 cannot be read.
    train = report.statistics["train"]
    assert train.images == len(pictures) - 3 and train.unreadable == 4
    assert opened["train"].images.readable.sum() == train.images - 4


def test_coco(tmp_path):
    pictures = [*_pictures(tmp_path), *_sized(tmp_path), Picture("gone.jpg", None)]
    pictures.append(Picture("000.jpg", jpeg(2001)))
    document = planted.coco_document(pictures)
    box = {"bbox": [4, 4, 20, 20]}
    number = len(document["images"])
    document["images"].append({**document["images"][0], "file_name": "again.jpg"})
    document["categories"] += [{"id": 0, "name": "horse"}, {"id": 77, "name": "cat"}]
    document["annotations"] += [
        {"id": 5000, "image_id": number + 7, "category_id": 0, **box},
        {"id": 5001, "image_id": 0, "category_id": 88, **box},
        {"id": 5002, "image_id": 0, "category_id": 0, "bbox": "4 4 20 20"},
    ]
    document["annotations"][3]["id"] = 0
    planted.write_coco(tmp_path, "train", pictures, document)

    validation = [*_validation(), Picture("000.jpg", jpeg(2002))]
    document = planted.coco_document(validation, (*planted.CLASSES, "cow"))
    document["annotations"].append({"id": 5000, "image_id": 1, "category_id": 3, **box})
    planted.write_coco(tmp_path, "val", validation, document)

    report, _ = check_dataset("coco", str(tmp_path), {"train": "train", "val": "val"}, **OPTIONS)
    file = "annotations/instances_train.json"
    _assert_found(
        report,
        COMMON
        | SIZED
        | {
            "unknown-image-id": f"image_id {number + 7}",
            "unknown-category-id": "category_id 88",
            "repeated-image-id": f"{file}: images has the id 0 twice",
            "repeated-category-id": f"{file}: categories has the id 0 twice",
            "repeated-class": "'cat' twice",
            "repeated-annotation-id": f"{file}: annotation 0, 2 times",
            "faulty-record": "annotation 5002",
            "unknown-class": "'cow'",
            "same-name": "val/000.jpg: as train/000.jpg",
        },
    )


def test_yolo(tmp_path):
    pictures = [*_pictures(tmp_path), _with("seven"), _with("words")]
    planted.write_yolo(tmp_path, "train", pictures)
    planted.write_yolo(tmp_path, "val", _validation())
    labels = tmp_path / "labels" / "train"
    with open(labels / "seven.txt", "a") as file:
        file.write("7 0.5 0.5 0.1 0.1\n")
    with open(labels / "words.txt", "a") as file:
        file.write("cat 0.5 0.5 0.1 0.1\n")
    (labels / "stray.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    listed = [f"images/train/{picture.name}\n" for picture in pictures]
    (tmp_path / "train.txt").write_text("".join(listed) + "images/train/gone.jpg\n")

    splits = {"train": "train.txt", "val": "val"}
    report, _ = check_dataset("yolo", str(tmp_path), splits, **OPTIONS)
    _assert_found(
        report,
        COMMON
        | {
            "unchecked-rotation": "turned.jpg",
            "unknown-class": "labels/train/seven.txt, line 3",
            "faulty-record": "labels/train/words.txt, line 3",
            "unused-label": "labels/train/stray.txt",
        },
    )


def test_files_are_named_as_they_are_where_the_dataset_has_an_absolute_path(tmp_path, monkeypatch):
    (tmp_path / "set").mkdir()
    pictures = [*planted.clean(2, 0, "train"), Picture("garbage.jpg", b"GARBAGE")]
    planted.write_yolo(tmp_path / "set", "train", pictures)
    names = "names: [cat, dog]\n"
    (tmp_path / "set" / "data.yaml").write_text(f"path: {tmp_path}/set\n{names}")
    monkeypatch.chdir(tmp_path)
    report, _ = check_dataset("yolo", "set", {"train": "train"}, **OPTIONS)
    files = [example.file for each in report.findings for example in each.examples]
    assert any(file.endswith("garbage.jpg") for file in files)
    assert all(Path(file).exists() for file in files if "/" in file)


@pytest.mark.parametrize("source", ["voc", "coco", "yolo"])
def test_a_clean_set_has_no_finding(tmp_path, source):
    for split, seed in (("train", 0), ("val", 100)):
        pictures = [
            picture._replace(objects=(*GOOD, ("bird", (1, 30, 20, 46))))
            for picture in planted.clean(4, seed, split)
        ]
        if source == "coco":
            planted.write_coco(tmp_path, split, pictures, planted.coco_document(pictures))
        else:
            {"voc": planted.write_voc, "yolo": planted.write_yolo}[source](
                tmp_path, split, pictures
            )
    splits = {"train": "train", "val": "val"}
    report, opened = check_dataset(source, str(tmp_path), splits, workers=3, **OPTIONS)
    assert report.findings == () and report.trainable
    assert set(report.classes) == set(planted.CLASSES) and set(opened) == {"train", "val"}


def test_nothing_to_learn_when_every_box_is_degenerate(tmp_path):
    flat = (("cat", (5, 5, 5, 9)),)
    pictures = [picture._replace(objects=flat) for picture in planted.clean(2, 0, "train")]
    planted.write_yolo(tmp_path, "train", pictures)
    planted.write_yolo(tmp_path, "val", [p._replace(objects=()) for p in planted.clean(1, 9, "v")])
    splits = {"train": "train", "val": "val"}
    report, _ = check_dataset("yolo", str(tmp_path), splits, **OPTIONS)
    codes = [(finding.code, finding.split) for finding in report.findings]
    assert codes == [
        ("nothing-to-learn", "train"),
        ("nothing-to-evaluate", "val"),
        ("degenerate-box", "train"),
    ]
    assert not report.trainable


def test_a_split_that_cannot_be_read_is_the_one_finding(tmp_path):
    pictures = planted.clean(2, 0, "train")
    planted.write_coco(tmp_path, "train", pictures, planted.coco_document(pictures))
    file = tmp_path / "annotations" / "instances_train.json"
    file.write_text(file.read_text()[:-30])
    report, opened = check_dataset("coco", str(tmp_path), {"train": "train"}, **OPTIONS)
    (finding,) = report.findings
    assert finding.code == "unreadable-split" and "broken JSON" in finding.examples[0].detail
    assert not report.trainable and not opened and not report.statistics


def test_a_split_of_missing_images_only(tmp_path):
    pictures = planted.clean(12, 0, "train")
    planted.write_voc(tmp_path, "train", pictures)
    for picture in pictures:
        (tmp_path / "JPEGImages" / picture.name).unlink()
    options = {**OPTIONS, "classes": ("cat", "dog")}
    report, _ = check_dataset("voc", str(tmp_path), {"train": "train"}, **options)
    no_images, missing = report.findings
    assert (no_images.code, missing.code, missing.count) == ("no-images", "missing-image", 12)
    assert len(missing.examples) == 10 and missing.examples[0].file == "JPEGImages/train0.jpg"


def test_training_stops_at_each_error_and_at_nothing_else(tmp_path):
    # What the kinds of findings claim of training, tried on training's own reader and decoder.
    for name, picture in {p.stem: p for p in [*_pictures(tmp_path), *_sized(tmp_path)]}.items():
        root = tmp_path / name
        root.mkdir()
        pictures = [Picture("first.jpg", jpeg(9999)), picture]
        planted.write_coco(root, "train", pictures, planted.coco_document(pictures))
        report, _ = check_dataset("coco", str(root), {"train": "train"}, **OPTIONS)
        try:
            source = detection_source("coco", str(root), "train")
            for index in range(2):
                source[index]
            trains = True
        except DataError:
            trains = False
        assert report.trainable == trains, name


def test_every_code_that_is_raised_has_a_kind():
    folder = Path(jaxvision.data.__file__).parent
    text = "".join(file.read_text() for file in folder.rglob("*.py"))
    codes = set(re.findall(r'(?:code|missing)(?:: str)?\s?=\s?"([a-z-]+)"', text))
    assert {"missing-image", "unknown-class", "wrong-size"} <= codes <= set(KINDS)
