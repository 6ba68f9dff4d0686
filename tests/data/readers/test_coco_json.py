import json

import numpy as np
import pytest

from jaxvision.data.errors import DataError
from jaxvision.data.readers.coco import coco


def _document(**changes) -> dict:
    document = {
        "info": {"description": "a test"},
        "images": [
            {"id": 7, "file_name": "b.png", "width": 64, "height": 48},
            {"id": 3, "file_name": "a.png", "width": 64, "height": 48},
        ],
        "annotations": [
            {"id": 1, "image_id": 3, "category_id": 9, "bbox": [10, 5, 20, 30], "area": 123.5,
             "iscrowd": 0, "segmentation": [[10, 5, 30, 5, 30, 35]]},
            {"id": 2, "image_id": 7, "category_id": 4, "bbox": [0, 0, 8.5, 8], "area": 60,
             "iscrowd": 1, "segmentation": {"counts": [1, 2], "size": [48, 64]}},
            {"id": 3, "image_id": 3, "category_id": 4, "bbox": [-5, 40, 20, 20]},
        ],
        "categories": [{"id": 9, "name": "dog"}, {"id": 4, "name": "cat"}],
    }  # fmt: skip
    return {**document, **changes}


@pytest.fixture
def write(tmp_path, write_image):
    write_image("val2017/a.png")
    write_image("val2017/b.png")
    (tmp_path / "annotations").mkdir()

    def write(document: dict | str) -> str:
        text = document if isinstance(document, str) else json.dumps(document)
        (tmp_path / "annotations" / "instances_val2017.json").write_text(text)
        return str(tmp_path)

    return write


def _broken(write, document, *words: str, **options):
    with pytest.raises(DataError) as error:
        coco(write(document), "val2017", **options)
    for word in ("instances_val2017.json", *words):
        assert word in str(error.value)


def test_categories_are_ordered_by_id(write):
    source = coco(write(_document()), "val2017")
    assert source.classes == ("cat", "dog")


def test_boxes_crowds_and_areas(write):
    source = coco(write(_document()), "val2017")
    assert [source.name(index)[-13:] for index in range(2)] == ["val2017/b.png", "val2017/a.png"]
    crowd, two = source[0], source[1]
    np.testing.assert_allclose(crowd.objects.boxes, [[0, 0, 8.5, 8]])
    assert crowd.objects.crowd.tolist() == [True] and crowd.objects.area.tolist() == [60]
    # The third box starts 5 pixels left of the image and ends 12 below it.
    np.testing.assert_allclose(two.objects.boxes, [[10, 5, 30, 35], [0, 40, 15, 48]])
    assert two.objects.classes.tolist() == [1, 0] and two.objects.crowd.tolist() == [False, False]
    assert two.objects.area.tolist() == [123.5, 15 * 8]
    assert two.image.shape == (48, 64, 3)
    assert source.max_objects == 2
    assert "clipped 1 boxes" in source.describe() and "a.png" in source.describe()


def test_given_classes_replace_the_files_order(write):
    source = coco(write(_document()), "val2017", classes=("dog", "bird", "cat"))
    assert source.classes == ("dog", "bird", "cat")
    assert source[1].objects.classes.tolist() == [0, 2]


def test_unused_categories_need_not_be_known(write):
    document = _document()
    document["categories"].append({"id": 1, "name": "unused"})
    assert coco(write(document), "val2017", classes=("cat", "dog")).classes == ("cat", "dog")


def test_unknown_class(write):
    _broken(write, _document(), "'dog'", "a.png", "cat, bird", classes=("cat", "bird"))


def test_image_without_objects(write):
    document = _document(annotations=[])
    source = coco(write(document), "val2017")
    assert source[0].objects.boxes.shape == (0, 4) and source.max_objects == 0
    assert "2 of them without objects" in source.describe()


@pytest.mark.parametrize("field", ["images", "annotations", "categories"])
def test_missing_list(write, field):
    document = _document()
    del document[field]
    _broken(write, document, f"no list '{field}'")


def test_broken_json(write):
    _broken(write, json.dumps(_document())[:-40], "broken JSON at line 1", "export")


def test_json_that_is_no_object(write):
    _broken(write, "[1, 2]", "expected a JSON object")


def test_unknown_category_id(write):
    document = _document()
    document["annotations"][0]["category_id"] = 5
    _broken(write, document, "category_id 5", "4, 9")


def test_unknown_image_id(write):
    document = _document()
    document["annotations"][0]["image_id"] = 999
    _broken(write, document, "image_id 999")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("bbox", [1, 2, 3], "4 numbers"),
        ("bbox", None, "4 numbers"),
        ("bbox", [1, 2, 3, "4"], "4 numbers"),
        ("area", "large", "area must be a number"),
    ],
)
def test_bad_annotation_value(write, field, value, words):
    document = _document()
    document["annotations"][1][field] = value
    _broken(write, document, "annotation 2", words)


@pytest.mark.parametrize("field", ["bbox", "category_id", "image_id"])
def test_missing_annotation_field(write, field):
    document = _document()
    del document["annotations"][1][field]
    _broken(write, document, "annotation 2", f"no field '{field}'")


def test_annotation_that_is_none(write):
    _broken(write, _document(annotations=[{"id": 5}]), "must have image_id and bbox")


@pytest.mark.parametrize("field", ["id", "file_name", "width", "height"])
def test_missing_image_field(write, field):
    document = _document()
    del document["images"][1][field]
    _broken(write, document, "images[1]", f"'{field}'")


def test_repeated_ids(write):
    document = _document()
    document["images"][1]["id"] = 7
    _broken(write, document, "images has the id 7 twice")
    document = _document()
    document["categories"][1]["id"] = 9
    _broken(write, document, "categories has the id 9 twice")


def test_no_images(write):
    _broken(write, _document(images=[], annotations=[]), "images is empty")


def test_missing_image(write, tmp_path):
    root = write(_document())
    (tmp_path / "val2017" / "a.png").unlink()
    with pytest.raises(DataError, match="1 of 2 images are missing") as error:
        coco(root, "val2017")
    assert str(tmp_path / "val2017" / "a.png") in str(error.value)


def test_missing_annotation_file(tmp_path):
    with pytest.raises(DataError, match="instances_train2017.json: no such file; expected"):
        coco(str(tmp_path), "train2017")


def test_image_of_another_size(write, write_image):
    root = write(_document())
    write_image("val2017/a.png", width=48, height=64)
    with pytest.raises(DataError, match="64 x 48 pixels") as error:
        coco(root, "val2017")[1]
    assert "has 48 x 64" in str(error.value) and "EXIF" in str(error.value)


def test_strict(write):
    with pytest.raises(DataError, match="reaches outside"):
        coco(write(_document()), "val2017", strict=True)


def test_json_by_name_with_images_beside_it(tmp_path, write_image):
    write_image("train/a.png")
    write_image("train/b.png")
    (tmp_path / "train" / "_annotations.coco.json").write_text(json.dumps(_document()))
    source = coco(str(tmp_path), "train/_annotations.coco.json")
    assert len(source[1].objects.boxes) == 2


def test_image_folder_by_name(write, write_image, tmp_path):
    write_image("elsewhere/a.png")
    write_image("elsewhere/b.png")
    source = coco(write(_document()), "val2017", images="elsewhere")
    assert source.name(0) == str(tmp_path / "elsewhere" / "b.png")
