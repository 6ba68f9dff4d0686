import numpy as np
import pytest

from jaxvision.data.errors import DataError
from jaxvision.data.readers.yolo import yolo

YAML = "path: /somewhere/else\ntrain: images/train\nval: images/val\nnames: [cat, dog]\n"


@pytest.fixture
def dataset(tmp_path, write_image, write_text):
    """Writes images 0.png, 1.png, ... with the given label texts, None for no label file."""

    def dataset(*labels: str | None, split="train", yaml: str | None = YAML) -> str:
        for number, text in enumerate(labels):
            write_image(f"images/{split}/{number}.png", width=100, height=50)
            if text is not None:
                write_text(f"labels/{split}/{number}.txt", text)
        if yaml is not None:
            write_text("data.yaml", yaml)
        return str(tmp_path)

    return dataset


def _broken(root: str, *words: str, split="train", **options):
    with pytest.raises(DataError) as error:
        yolo(root, split, **options)
    for word in words:
        assert word in str(error.value)


def test_fractions_become_pixels(dataset):
    source = yolo(dataset("1 0.5 0.5 0.2 0.4\n0 0.1 0.2 0.2 0.4\n"), "train")
    example = source[0]
    np.testing.assert_allclose(example.objects.boxes, [[40, 15, 60, 35], [0, 0, 20, 20]], atol=1e-4)
    assert example.objects.classes.tolist() == [1, 0] and source.classes == ("cat", "dog")
    np.testing.assert_allclose(example.objects.area, [400, 400], rtol=1e-5)
    assert example.objects.boxes.dtype == example.objects.area.dtype == np.float32


def test_missing_label_file_means_no_objects(dataset):
    source = yolo(dataset(None, "0 0.5 0.5 0.1 0.1", ""), "train")
    assert [len(source[index].objects.boxes) for index in range(3)] == [0, 1, 0]
    assert "2 of them without objects" in source.describe()


def test_names_as_a_mapping(dataset):
    yaml = "names:\n  0: cat\n  1: dog\n"
    assert yolo(dataset("0 .5 .5 .1 .1", yaml=yaml), "train").classes == ("cat", "dog")


def test_names_from_classes_txt(dataset, write_text):
    root = dataset("1 .5 .5 .1 .1", yaml=None)
    write_text("classes.txt", "cat\ndog\n")
    assert yolo(root, "train").classes == ("cat", "dog")


def test_given_classes_are_matched_by_name(dataset):
    source = yolo(dataset("1 .5 .5 .1 .1"), "train", classes=("dog", "cat"))
    assert source[0].objects.classes.tolist() == [0]


def test_given_classes_serve_where_there_are_no_names(dataset):
    source = yolo(dataset("1 .5 .5 .1 .1", yaml=None), "train", classes=("x", "y"))
    assert source.classes == ("x", "y") and source[0].objects.classes.tolist() == [1]


def test_no_names_anywhere(dataset):
    _broken(dataset("0 .5 .5 .1 .1", yaml=None), "data.yaml", "classes.txt")


def test_unknown_class_name(dataset):
    root = dataset("0 .5 .5 .1 .1\n1 .5 .5 .1 .1")
    _broken(root, "0.txt, line 2", "'dog'", "known classes are cat", classes=("cat",))


def test_unknown_class_number(dataset):
    _broken(dataset("0 .5 .5 .1 .1\n\n2 .5 .5 .1 .1"), "0.txt, line 3", "class 2", "0 to 1")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 .5 .5 .1", "5 numbers"),
        ("0 .5 .5 .1 .1 .9", "5 numbers"),
        ("cat .5 .5 .1 .1", "5 numbers"),
        ("0.5 .5 .5 .1 .1", "whole number"),
        ("0 50 25 20 20", "are these pixels"),
        ("0 -.5 .5 .1 .1", "fractions"),
        ("nan .5 .5 .1 .1", "whole number"),
        ("0 nan .5 .1 .1", "fractions"),
    ],
)
def test_bad_lines(dataset, line, words):
    _broken(dataset(f"0 .5 .5 .1 .1\n{line}\n"), "labels/train/0.txt, line 2", words)


def test_outside_and_degenerate_boxes(dataset):
    source = yolo(dataset("0 0.05 0.5 0.2 0.2\n0 .5 .5 0 .1"), "train")
    np.testing.assert_allclose(source[0].objects.boxes, [[0, 20, 15, 30]], atol=1e-4)
    assert "clipped 1" in source.describe() and "dropped 1" in source.describe()


def test_empty_split(dataset, tmp_path):
    (tmp_path / "images" / "train").mkdir(parents=True)
    _broken(dataset(), "images/train", "is empty")


def test_missing_split(dataset):
    _broken(
        dataset("0 .5 .5 .1 .1"), "images/test", "no split 'test'", "there are train", split="test"
    )


OUTLINE = "1 0.1 0.2 0.5 0.2 0.5 0.6 0.1 0.6\n"


def test_outline_gives_its_box_and_area(dataset):
    source = yolo(dataset(f"{OUTLINE}0 .5 .5 .2 .2\n1 .1 .1 .5 .1 .1 .5"), "train")
    objects = source[0].objects
    assert objects.masks is None and objects.classes.tolist() == [1, 0, 1]
    np.testing.assert_allclose(
        objects.boxes, [[10, 10, 50, 30], [40, 20, 60, 30], [10, 5, 50, 25]], atol=1e-4
    )
    np.testing.assert_allclose(objects.area, [800, 200, 400], rtol=1e-5)


def test_outline_is_kept_as_a_mask(dataset):
    masks = yolo(dataset("1 .1 .1 .5 .1 .1 .5\n0 .5 .5 .2 .4"), "train", masks=True)[
        0
    ].objects.masks
    assert masks.shape == (2, 50, 100)
    assert (
        masks[0, 6, 12] and not masks[0, 24, 48] and masks[0].sum() == pytest.approx(400, rel=0.1)
    )
    assert masks[1, 15:35, 40:60].all() and masks[1].sum() == 400


def test_broken_outline(dataset):
    _broken(dataset("0 .1 .1 .5 .1 .1"), "0.txt, line 1", "an outline `class x1 y1")
    _broken(dataset("0 .1 .1 .5 .1 .1 7"), "x and y must be fractions of the image")


def test_no_label_files_at_all(dataset):
    _broken(dataset(None, None), "labels/train", "no label files")


def test_list_of_images(dataset, write_text):
    root = dataset("0 .5 .5 .1 .1", "1 .5 .5 .1 .1")
    write_text("some.txt", "./images/train/1.png\n")
    source = yolo(root, "some.txt")
    assert len(source) == 1 and source[0].objects.classes.tolist() == [1]


def test_list_with_a_missing_image(dataset, write_text):
    root = dataset("0 .5 .5 .1 .1")
    write_text("some.txt", "./images/train/0.png\n./images/train/9.png\n")
    _broken(root, "9.png", "some.txt", "1 of 2", split="some.txt")


def test_folders_named_by_split_first(dataset, write_image, write_text, tmp_path):
    write_image("valid/images/a.png")
    write_text("valid/labels/a.txt", "1 .5 .5 .1 .1")
    write_text("data.yaml", "val: ../valid/images\nnames: [cat, dog]\n")
    assert yolo(str(tmp_path / "data.yaml"), "val")[0].objects.classes.tolist() == [1]


@pytest.mark.parametrize(
    ("yaml", "words"),
    [("names: [cat", "broken YAML"), ("- 1", "expected `names:`"), ("names: 3", "a list or"),
     ("names: {1: cat}", "from 0"), ("names: [cat, cat]", "'cat' twice")],
)  # fmt: skip
def test_bad_yaml(dataset, yaml, words):
    _broken(dataset("0 .5 .5 .1 .1", yaml=yaml), "data.yaml", words)
