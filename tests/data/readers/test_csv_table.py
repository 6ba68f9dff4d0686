import numpy as np
import pytest

from jaxvision.data.detection import detection_source
from jaxvision.data.errors import DataError
from jaxvision.data.readers.csv import csv

HEADER = "filename,width,height,class,xmin,ymin,xmax,ymax"
ROWS = (
    "b.png,64,48,dog,10,5,30,35",
    "a.png,64,48,,,,,",
    "c.png,64,48,cat,0,0,8.5,8",
    "b.png,64,48,cat,-5,40,15,60",
)


@pytest.fixture
def dataset(tmp_path, write_image, write_text):
    for name in "abc":
        write_image(f"train/{name}.png")

    def write(*rows: str, header: str = HEADER, file: str = "train.csv") -> str:
        write_text(file, "\n".join((header, *rows)) + "\n")
        return str(tmp_path)

    return write


def _faults(root, split="train", **options):
    """What a reader tells instead of stopping, and what it then gives."""
    faults = []
    source = csv(root, split, on_fault=faults.append, **options)
    return [str(fault) for fault in faults], source


def test_rows_of_an_image_are_gathered_and_boxes_are_taken_as_they_stand(dataset, tmp_path):
    source = csv(dataset(*ROWS), "train")
    assert source.classes == ("cat", "dog") and len(source) == 3
    assert [source.name(i) for i in range(3)] == [str(tmp_path / f"train/{n}.png") for n in "bac"]
    # The second box starts 5 pixels left of the image and ends 12 below it.
    np.testing.assert_array_equal(source[0].objects.boxes, [[10, 5, 30, 35], [0, 40, 15, 48]])
    assert source[0].objects.classes.tolist() == [1, 0] and not source[0].objects.crowd.any()
    assert source[1].objects.boxes.shape == (0, 4)
    np.testing.assert_array_equal(source[2].objects.boxes, [[0, 0, 8.5, 8]])
    assert source[2].objects.area.tolist() == [68] and source[2].image.shape == (48, 64, 3)
    assert "3 images, 1 of them without objects" in source.describe()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_columns_may_be_written_as_spreadsheets_do(dataset, tmp_path, delimiter, end):
    lines = (
        "\ufeffnote",
        "Ymax",
        '"class"',
        "filename",
        "XMIN",
        " ymin",
        "xmax",
        "width",
        "height",
        "a,b;c\td",
    )
    lines = [*lines[:-1], '"a,b;c\td"']
    row = ['"says ""no"""', "35", '"a;cat,\tor so"', "b.png", "10.0", "5", "30", "64", "48", ""]
    text = end.join([delimiter.join(lines), delimiter.join([*row, "", ""]), "", ""])
    dataset()
    (tmp_path / "train.csv").write_bytes(text.encode())
    source = csv(str(tmp_path), "train")
    assert source.classes == ("a;cat,\tor so",)
    np.testing.assert_array_equal(source[0].objects.boxes, [[10, 5, 30, 35]])


@pytest.mark.parametrize(
    ("file", "split", "folder"),
    [
        ("val.csv", "val", "val"),
        ("val.csv", "val", "images/val"),
        ("val.csv", "val", "images"),
        ("val.csv", "val.csv", "."),
        ("val/_annotations.csv", "val/_annotations.csv", "val"),
        ("tables/val.csv", "tables/val.csv", "tables/images"),
    ],
)
def test_images_are_found_beside_the_table(dataset, write_image, tmp_path, file, split, folder):
    write_image(f"{folder}/x.png")
    root = dataset("x.png,64,48,cat,1,2,3,4", file=file)
    source = csv(root, split)
    assert source.name(0) == str(tmp_path / folder / "x.png")
    assert len(source[0].objects.boxes) == 1


def test_the_folder_with_most_of_the_images_is_taken(dataset, write_image, tmp_path):
    write_image("images/b.png")
    faults, source = _faults(dataset(*ROWS, "d.png,64,48,cat,1,2,3,4"))
    assert source.name(0) == str(tmp_path / "train" / "b.png") and len(source) == 3
    assert len(faults) == 1 and "d.png" in faults[0]


def test_image_folder_by_name(dataset, write_image, tmp_path):
    write_image("pictures/b.png")
    source = csv(dataset(ROWS[0]), "train", images="pictures")
    assert source.name(0) == str(tmp_path / "pictures" / "b.png")


def test_given_classes_keep_their_order(dataset):
    source = csv(dataset(*ROWS), "train", classes=("dog", "bird", "cat"))
    assert source.classes == ("dog", "bird", "cat") and source[0].objects.classes.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("b.png,64,48,dog,left,5,30,35", ("xmin", "'left'")),
        ("b.png,64,48,dog,1,5,nan,35", ("xmax", "'nan'")),
        ("b.png,64.5,48,dog,1,5,30,35", ("width", "'64.5'")),
        ("b.png,64,0,dog,1,5,30,35", ("height", "'0'")),
        ("b.png,,48,dog,1,5,30,35", ("width", "''")),
        ("b.png,64,48,,1,5,30,35", ("class is empty", "all five empty")),
        ("b.png,64,48,dog,1,5,30,", ("ymax is empty",)),
        (",64,48,dog,1,5,30,35", ("filename is empty",)),
        ("b.png,64,48,dog,1,5,30", ("expected 8 fields", "got 7")),
        ("b.png,64,48,dog,1,5,30,35,7", ("expected 8 fields", "got 9")),
        ("a.png,48,64,dog,1,5,30,35", ("line 3", "48 x 64", "64 x 48", "a.png")),
        ("b.png,48,64,dog,1,5,30,35", ("line 2", "48 x 64", "64 x 48", "b.png")),
        ('b.png,64,48,"dog"s,1,5,30,35', ("quotes",)),
        ("b.png,64,48,horse,1,5,30,35", ("class", "'horse'", "cat, dog")),
        ("d.png,64,48,dog,1,5,30,35", ("d.png", "missing", "1 of 4", "line 6")),
    ],
)
def test_a_faulty_row_is_reported_and_dropped(dataset, tmp_path, row, words):
    root = dataset(*ROWS, row)
    with pytest.raises(DataError) as error:
        csv(root, "train", classes=("cat", "dog"))
    faults, source = _faults(root, classes=("cat", "dog"))
    assert faults == [str(error.value)]
    for word in (f"{tmp_path / 'train.csv'}, line 6", *words):
        assert word in faults[0]
    # All others are as without it.
    assert len(source) == 3 and [len(source[i].objects.boxes) for i in range(3)] == [2, 0, 1]


def test_all_faults_are_reported(dataset):
    bad = ["b.png,64,48,dog,1,5,x,35", "d.png,64,48,dog,1,5,9,35", "e.png,64,48,,,,,"]
    faults, source = _faults(dataset(*bad, *ROWS))
    assert len(faults) == 3 and len(source) == 3
    assert "'x'" in faults[0] and "d.png" in faults[1] and "e.png" in faults[2]
    np.testing.assert_array_equal(source[0].objects.boxes[0], [10, 5, 30, 35])


def test_a_quote_left_open(dataset):
    faults, source = _faults(dataset(*ROWS, '"b.png,64,48,dog,1,5,30,35', ROWS[0]))
    assert len(faults) == 1 and "quotes" in faults[0] and len(source[0].objects.boxes) == 2


@pytest.mark.parametrize("header", ["", HEADER.replace(",class", ""), HEADER + ",class", "cat 1 2"])
def test_a_header_without_a_column_stops_at_once(dataset, header):
    with pytest.raises(DataError, match=r"train\.csv, line 1: .*class.*filename,width"):
        _faults(dataset(*ROWS, header=header))


def test_no_rows(dataset):
    with pytest.raises(DataError, match=r"train\.csv: no image"):
        csv(dataset(), "train")


def test_no_image_is_there(dataset, tmp_path):
    root = dataset("x.png,64,48,cat,1,2,3,4")
    with pytest.raises(DataError, match="x.png and all others are missing") as error:
        csv(root, "train")
    assert str(tmp_path / "images") in str(error.value)


def test_unknown_split_lists_the_known(dataset):
    with pytest.raises(DataError, match=r"val\.csv: no such table; .* has train\.csv"):
        csv(dataset(*ROWS), "val")


def test_strict(dataset):
    with pytest.raises(DataError, match="reaches outside"):
        csv(dataset(*ROWS), "train", strict=True)


def test_opened_by_name(dataset):
    source = detection_source("csv", dataset(*ROWS), "train", classes=("cat", "dog"))
    assert source.classes == ("cat", "dog") and source.max_objects == 2
