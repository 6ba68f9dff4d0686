import json

import cv2
import numpy as np
import pytest

from jaxvision.data.detection import detection_source
from jaxvision.data.errors import DataError
from jaxvision.data.readers.tfds import detection_records

tensorflow_datasets = pytest.importorskip("tensorflow_datasets")

IMAGE = np.full((50, 100, 3), (10, 20, 200), np.uint8)
PNG = cv2.imencode(".png", IMAGE[..., ::-1])[1].tobytes()


def _prepare(folder, records, *, label=True):
    """Writes a dataset `tiny` as TFDS prepares it, without TensorFlow."""
    from array_record.python.array_record_module import ArrayRecordWriter
    from tensorflow_datasets.core.example_serializer import ExampleSerializer

    features = tensorflow_datasets.features
    objects = {"bbox": features.BBoxFeature()}
    if label:
        objects["label"] = features.ClassLabel(names=["cat", "dog"])
    spec = features.FeaturesDict(
        {"image": features.Image(shape=(None, None, 3)), "objects": features.Sequence(objects)}
    )
    place = folder / "tiny" / "1.0.0"
    place.mkdir(parents=True)
    serializer = ExampleSerializer(spec.get_serialized_info())
    writer = ArrayRecordWriter(str(place / "tiny-train.array_record-00000-of-00001"), "")
    for boxes, labels in records:
        row = {"bbox": np.array(boxes, np.float32).reshape(-1, 4)}
        if label:
            row["label"] = np.array(labels, np.int64)
        writer.write(serializer.serialize_example({"image": PNG, "objects": row}))
    writer.close()
    spec.save_config(place)
    split = {
        "name": "train",
        "numBytes": "1",
        "shardLengths": [str(len(records))],
        "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
    }
    info = {"name": "tiny", "version": "1.0.0", "fileFormat": "array_record", "splits": [split]}
    (place / "dataset_info.json").write_text(json.dumps(info))
    return str(folder)


RECORDS = [([], []), ([[0.1, 0.2, 0.5, 0.6], [0, 0, 1, 1.5]], [1, 0])]


def test_prepared_records_are_read(tmp_path):
    source = detection_source("tfds:tiny", _prepare(tmp_path, RECORDS), "train")
    assert len(source) == 2 and source.classes == ("cat", "dog") and source.max_objects == 2
    example = source[1]
    np.testing.assert_array_equal(example.image, IMAGE)
    # ymin, xmin, ymax, xmax of a picture of 100 x 50 pixels.
    np.testing.assert_allclose(example.objects.boxes, [[20, 5, 60, 25], [0, 0, 100, 50]], rtol=1e-6)
    assert example.objects.classes.tolist() == [1, 0]
    assert len(source[0].objects.boxes) == 0
    assert "clipped 1" in source.describe() and source.name(1).endswith("tiny/train[1]")


def test_slices_of_splits(tmp_path):
    source = detection_source("tfds:tiny", _prepare(tmp_path, RECORDS), "train[50%:]")
    assert len(source) == 1 and len(source[0].objects.boxes) == 2


def test_unknown_class(tmp_path):
    path = _prepare(tmp_path, RECORDS)
    with pytest.raises(DataError, match=r"train\[1\]: objects/label: unknown class 'dog'"):
        detection_source("tfds:tiny", path, "train", classes=("cat",))


def test_unknown_split(tmp_path):
    with pytest.raises(DataError, match="split 'test': .*train"):
        detection_source("tfds:tiny", _prepare(tmp_path, RECORDS), "test")


def test_dataset_that_is_not_prepared(tmp_path):
    with pytest.raises(DataError, match="cannot open 'huge'.*array_record") as error:
        detection_source("tfds:huge", str(tmp_path), "train")
    assert str(tmp_path) in str(error.value) and len(str(error.value)) < 500


def test_features_without_labels(tmp_path):
    with pytest.raises(DataError, match="expected the features objects/bbox and objects/label"):
        detection_source("tfds:tiny", _prepare(tmp_path, RECORDS, label=False), "train")


def test_crowds_where_the_dataset_marks_them():
    class Labels:
        names = ("cat",)

    objects = {"bbox": np.array([[0, 0, 1, 1]] * 2), "label": [0, 0], "is_crowd": [True, False]}
    records = [{"image": PNG, "objects": objects}]
    source = detection_records(records, {"objects": {"label": Labels, "bbox": None}}, "coco/train")
    assert source[0].objects.crowd.tolist() == [True, False]


def test_truncated_image():
    class Labels:
        names = ("cat",)

    records = [{"image": PNG[:-20], "objects": {"bbox": np.zeros((0, 4)), "label": []}}]
    source = detection_records(records, {"objects": {"label": Labels, "bbox": None}}, "x/train")
    with pytest.raises(DataError, match=r"x/train\[0\]: .*truncated"):
        source[0]
