import subprocess
import sys

import pytest

from jaxvision.data.detection import detection_source, detection_split
from jaxvision.data.errors import DataError
from jaxvision.data.example import DetectionSource


def test_shapes_need_no_path():
    source = detection_source("shapes", None, "train", length=3, image_size=64)
    assert len(source) == 3 and source[0].image.shape == (64, 64, 3)


@pytest.mark.parametrize("name", ["imagenet", "tfds", "tfds:", "COCO", ""])
def test_unknown_source_lists_the_known(name):
    with pytest.raises(
        ValueError, match="shapes, coco, voc, yolo, csv, packed, tfds:<name>"
    ) as error:
        detection_source(name, "path", "train")
    assert repr(name) in str(error.value)


@pytest.mark.parametrize("name", ["coco", "voc", "yolo", "csv", "packed", "tfds:voc/2007"])
@pytest.mark.parametrize(("path", "split", "words"), [("", "train", "path"), ("x", "", "split")])
def test_path_and_split_are_required(name, path, split, words):
    with pytest.raises(DataError, match=words):
        detection_source(name, path, split)


@pytest.mark.parametrize("name", ["coco", "voc", "yolo", "csv", "packed"])
def test_a_folder_that_is_not_there(name, tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        detection_source(name, str(tmp_path / "nowhere"), "train")


def test_home_folder_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(DataError, match=str(tmp_path / "nowhere")):
        detection_source("voc", "~/nowhere", "train")


def test_formats_give_the_same_contract(write_image, write_text, tmp_path):
    write_image("images/train/a.png")
    write_text("labels/train/a.txt", "0 .5 .5 .1 .1")
    write_text("classes.txt", "cat\n")
    source: DetectionSource = detection_source("yolo", str(tmp_path), "train", strict=True)
    assert source.classes == ("cat",) and source.max_objects == 1
    assert source.name(0) == str(tmp_path / "images" / "train" / "a.png")
    with pytest.raises(IndexError):
        source[1]


def test_importing_the_readers_imports_no_framework():
    code = (
        "import sys, jaxvision.data.detection, jaxvision.data.detection_samples; "
        "print({'jax', 'tensorflow', 'tensorflow_datasets', 'torch'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "set()", result.stderr


@pytest.fixture
def table(write_image, write_text, tmp_path):
    """Ten images with a cat, every fifth with a dog besides; two are a split of their own."""
    rows = ["filename,width,height,class,xmin,ymin,xmax,ymax"]
    for number in range(10):
        write_image(f"{number}.png")
        rows.append(f"{number}.png,64,48,cat,1,1,9,9")
        if number % 5 == 0:
            rows.append(f"{number}.png,64,48,dog,1,1,9,9")
    write_text("train.csv", "\n".join(rows))
    write_text("val.csv", "\n".join(rows[:1] + rows[3:5]))
    return str(tmp_path)


def test_two_splits_are_opened_with_the_classes_of_the_first(table):
    train, val = detection_split("csv", table, train="train", val="val", strict=True)
    assert (len(train), len(val)) == (10, 2) and val.classes == ("cat", "dog")
    _, val = detection_split("csv", table, train="train", val="val", classes=("dog", "cat"))
    assert val.classes == ("dog", "cat")


@pytest.mark.parametrize("options", [{"fold": "2/5"}, {"val_share": 0.2}])
def test_one_split_is_divided(table, options):
    train, val = detection_split("csv", table, train="train", val="nowhere", **options)
    names = [part.name(index) for part in (train, val) for index in range(len(part))]
    assert (len(train), len(val)) == (8, 2) and len(set(names)) == 10
    again = detection_split("csv", table, train="train", val="", **options)
    assert [again[1].name(i) for i in range(2)] == names[8:]
    other = detection_split("csv", table, train="train", val="", split_seed=1, **options)
    assert {other[1].name(i) for i in range(2)} != set(names[8:])


def test_a_rare_class_is_in_every_fold(table):
    for seed in range(5):
        for fold in ("1/2", "2/2"):
            options = {"fold": fold, "split_seed": seed}
            parts = detection_split("csv", table, train="train", val="", **options)
            assert all("cat 5, dog 1" in part.describe() for part in parts)


def test_shapes_have_lengths():
    lengths = {"train_images": 8, "val_images": 3, "image_size": 64}
    train, val = detection_split("shapes", "", train="train", val="val", **lengths)
    assert (len(train), len(val)) == (8, 3) and val.name(0) == "shapes/val[0]"
    train, val = detection_split("shapes", "", train="train", val="val", fold="1/4", **lengths)
    assert (len(train), len(val)) == (6, 2) and "shapes/train" in val.name(0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fold": "1/5", "val_share": 0.2}, "exclude each other, got 1/5 and 0.2"),
        ({"fold": "6/5"}, "got '6/5'"),
        ({"val_share": 1.0}, "val_share must be between 0 and 1, got 1.0"),
        ({"val_share": -0.2}, "val_share must be between 0 and 1, got -0.2"),
        ({"fold": "1/20"}, "has 10 images, too few"),
        ({}, "data.train and data.val must name a split"),
    ],
)
def test_divisions_that_cannot_be(table, options, words):
    with pytest.raises(ValueError, match=words):
        detection_split("csv", table, train="train", val="", **options)
