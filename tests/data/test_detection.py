import subprocess
import sys

import pytest

from jaxvision.data.detection import detection_source
from jaxvision.data.errors import DataError
from jaxvision.data.source import Source


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
    source: Source = detection_source("yolo", str(tmp_path), "train", strict=True)
    assert source.classes == ("cat",) and source.max_objects == 1
    assert source.name(0) == str(tmp_path / "images" / "train" / "a.png")
    with pytest.raises(IndexError):
        source[1]


def test_kept_images_are_those_of_the_source():
    plain = detection_source("shapes", None, "train", length=3, image_size=32)
    kept = detection_source("shapes", None, "train", length=3, image_size=32, cache_bytes=10**6)
    for index in (1, 1, 0):
        assert (kept[index].image == plain[index].image).all()
        assert (kept[index].objects.boxes == plain[index].objects.boxes).all()
    assert kept[1] is kept[1] and plain[1] is not plain[1]
    assert kept.digest() == plain.digest()
    with pytest.raises(IndexError):
        kept[-1]
    with pytest.raises(ValueError, match="cache_bytes must be at least 0, got -1"):
        detection_source("shapes", None, "train", cache_bytes=-1)


def test_size_of_a_kept_image_does_not_depend_on_the_room(write_image, write_text, tmp_path):
    write_image("images/train/a.jpg", 64, 64)
    write_text("labels/train/a.txt", "0 .5 .5 .1 .1")
    write_text("classes.txt", "cat\n")
    for room, side in ((0, 32), (1, 64), (10**6, 64)):
        source = detection_source("yolo", str(tmp_path), "train", cache_bytes=room)
        assert source.image(0, 2)[0].shape == (side, side, 3)


def test_importing_the_readers_imports_no_framework():
    code = (
        "import sys, jaxvision.data.detection, jaxvision.data.detection_examples; "
        "print({'jax', 'tensorflow', 'tensorflow_datasets', 'torch'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "set()", result.stderr
