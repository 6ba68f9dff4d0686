from pathlib import Path

import numpy as np
import pytest

from jaxvision.data.errors import DataError
from jaxvision.data.readers.voc import voc

BCCD = Path(__file__).parents[3].parent / "shared" / "data" / "bccd"


def _object(name="cat", box=(11, 21, 30, 40), difficult=None) -> str:
    xmin, ymin, xmax, ymax = box
    hard = "" if difficult is None else f"<difficult>{difficult}</difficult>"
    return (
        f"<object><name>{name}</name>{hard}<bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin>"
        f"<xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox></object>"
    )


def _annotation(*objects: str, size="<width>64</width><height>48</height>") -> str:
    return f"<annotation><size>{size}</size>{''.join(objects)}</annotation>"


@pytest.fixture
def dataset(tmp_path, write_image, write_text):
    """Writes a split `train` of the given annotations; returns the dataset's folder."""

    def dataset(*annotations: str, root="", split="train") -> str:
        names = []
        for number, annotation in enumerate(annotations):
            names.append(f"{split}_{number}")
            write_image(f"{root}/JPEGImages/{names[-1]}.jpg")
            write_text(f"{root}/Annotations/{names[-1]}.xml", annotation)
        write_text(f"{root}/ImageSets/Main/{split}.txt", "".join(f"{name}\n" for name in names))
        return str(tmp_path)

    return lambda *annotations, root=".", split="train": dataset(
        *annotations, root=root, split=split
    )


def _broken(root: str, *words: str, split="train", **options):
    with pytest.raises(DataError) as error:
        voc(root, split, **options)
    for word in words:
        assert word in str(error.value)


def test_coordinates_count_from_one(dataset):
    # Pixels 11..30 and 21..40, counted from 1, are 20 pixels each: 10 up to 30, 20 up to 40.
    example = voc(dataset(_annotation(_object())), "train")[0]
    np.testing.assert_array_equal(example.objects.boxes, [[10, 20, 30, 40]])
    assert example.objects.area.tolist() == [400]


def test_a_box_of_the_whole_image(dataset):
    root = dataset(_annotation(_object(box=(1, 1, 64, 48))))
    np.testing.assert_array_equal(
        voc(root, "train", strict=True)[0].objects.boxes, [[0, 0, 64, 48]]
    )


def test_classes_are_sorted(dataset):
    source = voc(dataset(_annotation(_object("zebra"), _object("ant"))), "train")
    assert source.classes == ("ant", "zebra")
    assert source[0].objects.classes.tolist() == [1, 0]


def test_given_classes_keep_their_order(dataset):
    source = voc(dataset(_annotation(_object("b"))), "train", classes=("c", "b"))
    assert source[0].objects.classes.tolist() == [1]


def test_unknown_class(dataset):
    root = dataset(_annotation(_object("horse")))
    _broken(root, "train_0.xml", "'horse'", "cat, dog", classes=("cat", "dog"))


def test_image_without_objects(dataset):
    source = voc(dataset(_annotation(), _annotation(_object())), "train")
    assert source[0].objects.boxes.shape == (0, 4) and len(source[1].objects.boxes) == 1
    assert "1 of them without objects" in source.describe()


def test_difficult_objects_are_kept_or_ignored(dataset):
    root = dataset(_annotation(_object(difficult=1), _object(difficult=0), _object()))
    assert voc(root, "train")[0].objects.crowd.tolist() == [False, False, False]
    assert voc(root, "train", ignore_difficult=True)[0].objects.crowd.tolist() == [
        True,
        False,
        False,
    ]


def test_splits_are_joined(dataset, tmp_path):
    dataset(_annotation(_object("a")), root="VOC2007", split="trainval")
    root = dataset(_annotation(_object("b")), _annotation(), root="VOC2012", split="val")
    source = voc(root, "VOC2007/trainval+VOC2012/val")
    assert len(source) == 3 and source.classes == ("a", "b")
    assert source.name(1) == str(tmp_path / "VOC2012" / "JPEGImages" / "val_0.jpg")


def test_split_as_a_list(dataset, write_text):
    root = dataset(_annotation(), _annotation(_object()))
    write_text("mine.txt", "train_1\n\n")
    source = voc(root, "mine.txt")
    assert len(source) == 1 and source.name(0).endswith("train_1.jpg")


def test_outside_boxes_are_clipped(dataset):
    source = voc(dataset(_annotation(_object(box=(0, 0, 80, 10)))), "train")
    np.testing.assert_array_equal(source[0].objects.boxes, [[0, 0, 64, 10]])
    assert "clipped 1" in source.describe() and "(-1, -1, 80, 10)" in source.describe()


def test_broken_xml(dataset):
    _broken(dataset("<annotation><size>"), "train_0.xml", "broken XML")


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (_annotation(size="<width>64</width>"), "size/height"),
        (
            _annotation(size="<width>0</width><height>48</height>"),
            "positive number of pixels, at most 1,048,576, got '0'",
        ),
        (_annotation(_object().replace("xmax", "xmaximum")), "object/bndbox/xmax"),
        (_annotation(_object(box=("left", 1, 2, 3))), "must be a number, got 'left'"),
        (_annotation(_object(name=" ")), "no name"),
    ],
)
def test_bad_fields(dataset, annotation, words):
    _broken(dataset(annotation), "train_0.xml", words)


def test_missing_annotation(dataset, tmp_path):
    root = dataset(_annotation())
    (tmp_path / "Annotations" / "train_0.xml").unlink()
    _broken(root, "train_0.xml", "cannot read the VOC annotation")


def test_missing_image(dataset, tmp_path):
    root = dataset(_annotation(), _annotation(_object()))
    (tmp_path / "JPEGImages" / "train_1.jpg").unlink()
    _broken(root, str(tmp_path / "JPEGImages" / "train_1.jpg"), "1 of 2 images are missing")


def test_empty_split(dataset):
    _broken(dataset(), "train.txt", "the split is empty")


def test_unknown_split_lists_the_known(dataset):
    _broken(dataset(_annotation()), "no split 'test'", "train", split="test")


def test_missing_folder(tmp_path):
    _broken(str(tmp_path / "nowhere"), "nowhere", "cannot read the list")


def test_other_encodings(dataset, tmp_path):
    root = dataset(_annotation(_object()))
    text = '<?xml version="1.0" encoding="ISO-8859-1"?>' + _annotation(_object("Köter"))
    (tmp_path / "Annotations" / "train_0.xml").write_bytes(text.encode("iso-8859-1"))
    assert voc(root, "train").classes == ("Köter",)


def test_truncated_image(dataset, tmp_path):
    source = voc(dataset(_annotation(_object())), "train")
    path = tmp_path / "JPEGImages" / "train_0.jpg"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="truncated") as error:
        source[0]
    assert str(path) in str(error.value)


@pytest.mark.skipif(not BCCD.is_dir(), reason=f"the blood cell images are not in {BCCD}")
def test_blood_cells():
    source = voc(str(BCCD), "trainval")
    assert len(source) == 292 and source.classes == ("Platelets", "RBC", "WBC")
    example = source[0]
    assert example.image.shape == (480, 640, 3)
    # The first object of the file: xmin 260, ymin 177, xmax 491, ymax 376.
    np.testing.assert_array_equal(example.objects.boxes[0], [259, 176, 491, 376])
    assert source.classes[example.objects.classes[0]] == "WBC"
    assert len(voc(str(BCCD), "test", classes=source.classes)) == 72
