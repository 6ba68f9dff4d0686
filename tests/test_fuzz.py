"""A few seconds of what `python -m tests.fuzz` does for hours, and values drawn by hypothesis."""

import json
import pathlib
import random
import tempfile

import pytest

from jaxvision.data.errors import DataError, FaultLog
from jaxvision.data.readers.coco import coco
from jaxvision.data.readers.yolo import yolo
from tests.fuzz.mutations import mutated
from tests.fuzz.parsers import PARSERS, PNG

hypothesis = pytest.importorskip("hypothesis", reason="it is in the extra test")
given, settings, st = hypothesis.given, hypothesis.settings, hypothesis.strategies

QUICK = settings(max_examples=30, deadline=None, derandomize=True, database=None)


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory() as name:
        yield pathlib.Path(name)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PARSERS)
def test_parsers_raise_their_own_errors_alone(name, tmp_path):
    parser = PARSERS[name]
    for seed in parser.seeds:
        parser.read(seed, tmp_path)  # or nothing but the first check would be tried
    for number in range(20):
        data = mutated(random.Random(f"{name}/0/{number}"), parser.seeds)
        try:
            parser.read(data, tmp_path)
        except parser.errors as error:
            assert str(error), number


SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = SCALAR | st.lists(SCALAR, max_size=5) | st.lists(st.lists(st.floats(), max_size=6))
JSON |= st.dictionaries(st.sampled_from(["size", "counts", "id"]), SCALAR)
FIELDS = ("id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation", "file_name")
FIELDS += ("width", "height", "name")


@given(field=st.sampled_from(FIELDS), value=JSON)
@QUICK
def test_any_value_in_a_field_of_coco_is_taken_or_dropped(folder, field, value):
    images = [{"id": i, "file_name": f"{i}.png", "width": 24, "height": 16} for i in (1, 2)]
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
    document = {"images": images, "annotations": [annotation]}
    document["categories"] = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    for entry in (images[0], annotation, document["categories"][0]):
        if field in entry or (entry is annotation and field in ("area", "iscrowd", "segmentation")):
            entry[field] = value
    (folder / "annotations").mkdir(exist_ok=True)
    (folder / "train").mkdir(exist_ok=True)
    for i in (1, 2):
        (folder / f"train/{i}.png").write_bytes(PNG)
    (folder / "annotations/instances_train.json").write_text(json.dumps(document))
    source = coco(str(folder), "train", masks=True, on_fault=FaultLog())
    assert len(source) in (1, 2) and source.annotations.boxes.shape[1] == 4


@given(line=st.text(max_size=40) | st.lists(st.floats(), max_size=8).map(lambda x: str(x)[1:-1]))
@QUICK
def test_any_line_of_a_label_file_is_taken_or_named(folder, line):
    (folder / "images/train").mkdir(parents=True, exist_ok=True)
    (folder / "labels/train").mkdir(parents=True, exist_ok=True)
    (folder / "images/train/a.png").write_bytes(PNG)
    (folder / "classes.txt").write_text("cat\ndog\n")
    file = folder / "labels/train/a.txt"
    file.write_bytes(line.replace(",", " ").encode(errors="surrogatepass"))
    try:
        yolo(str(folder), "train")
    except DataError as error:
        assert str(file) in str(error)
