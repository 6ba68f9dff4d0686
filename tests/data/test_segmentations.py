import json

import cv2
import numpy as np
import pytest
from faster_coco_eval.core import mask as coco_mask

from jaxvision.data.detection import detection_source
from jaxvision.data.errors import DataError
from jaxvision.data.segmentations import Segmentations

RNG = np.random.default_rng
SIZE = (48, 64)


def decode(*segmentations, boxes=None):
    """Returns the masks of objects with the given `segmentation` fields."""
    found = Segmentations()
    for number, segmentation in enumerate(segmentations):
        found.append(segmentation, f"annotation {number}")
    boxes = np.zeros((len(segmentations), 4), np.float32) if boxes is None else boxes
    return found.masks(slice(0, len(segmentations)), boxes, SIZE, "a.jpg")


def polygon(rng, corners=7):
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    radii = rng.uniform(6, 20, corners)
    points = np.stack([32 + radii * np.cos(angles), 24 + radii * np.sin(angles)], axis=1)
    return np.round(points, 2).ravel().tolist()


def test_a_rectangle_by_hand():
    (mask,) = decode([[10, 5, 30, 5, 30, 25, 10, 25]])
    expected = np.zeros(SIZE, bool)
    expected[5:25, 10:30] = True
    np.testing.assert_array_equal(mask, expected)


def test_run_lengths_by_hand():
    # Column by column: 3 pixels off, 4 on, the rest off.
    counts = [3, 4, SIZE[0] * SIZE[1] - 7]
    (mask,) = decode({"size": list(SIZE), "counts": counts})
    assert np.argwhere(mask).tolist() == [[3, 0], [4, 0], [5, 0], [6, 0]]


def test_polygons_hold_the_pixels_whose_centres_lie_in_them():
    for seed in range(12):
        parts = [polygon(RNG(seed)), polygon(RNG(seed + 100), 4)][: 1 + seed % 2]
        (mask,) = decode(parts)
        runs = coco_mask.merge(coco_mask.frPyObjects(parts, *SIZE))
        np.testing.assert_array_equal(mask, coco_mask.decode(runs).astype(bool))
        corners = [np.float32(part).reshape(-1, 1, 2) for part in parts]
        for y, x in np.ndindex(SIZE):
            center = (x + 0.5, y + 0.5)
            distances = [cv2.pointPolygonTest(each, center, True) for each in corners]
            # The reference works in fifths of a pixel.
            if all(abs(distance) > 1 for distance in distances):
                assert mask[y, x] == (max(distances) > 0)


def test_all_ways_to_write_a_mask_are_equal():
    mask = RNG(0).random(SIZE) < 0.3
    runs = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    text = {"size": list(SIZE), "counts": runs["counts"].decode()}
    column = mask.T.ravel()
    changes = np.flatnonzero(np.diff(column)) + 1
    lengths = np.diff([0, *changes, column.size]).tolist()
    listed = {"size": list(SIZE), "counts": ([0] if column[0] else []) + lengths}
    added = Segmentations()
    added.append_mask(mask)
    for found in (*decode(text, listed), *added.masks(slice(0, 1), np.zeros((1, 4)), SIZE, "")):
        np.testing.assert_array_equal(found, mask)


def test_an_object_without_segmentation_is_its_box():
    boxes = np.array([[2.4, 3, 9, 8.6], [5, 5, 5.1, 5.1]], np.float32)
    masks = decode(None, [], boxes=boxes)
    assert masks[0].sum() == 7 * 6 and masks[0][3:9, 2:9].all()
    assert masks[1].sum() == 1 and masks[1][5, 5]


def test_some_objects_in_another_order():
    found = Segmentations()
    for left in (0, 10, 20):
        found.append([[left, 0, left + 4, 0, left + 4, 4, left, 4]], "")
    taken = found.take(np.array([2, 0, 1])).take(np.array([1, 0]))
    assert len(taken) == 2
    masks = taken.masks(slice(0, 2), np.zeros((2, 4)), SIZE, "")
    assert masks[0][0, 0] and masks[1][0, 20] and not masks[0][0, 20]


@pytest.mark.parametrize(
    "segmentation",
    [[[1, 2, 3]], [[1, 2, 3, 4, 5, 6, 7]], [1, 2, 3, 4, 5, 6], {"counts": "x"}, [["a"] * 6], 5],
)
def test_what_is_no_segmentation(segmentation):
    with pytest.raises(DataError, match="annotation 0: segmentation must be a list of polygons"):
        decode(segmentation)


def test_run_lengths_of_another_size():
    with pytest.raises(DataError, match=r"a\.jpg: a mask is 10 x 12 pixels .* has 48 x 64"):
        decode({"size": [10, 12], "counts": [5, 5, 110]})


@pytest.fixture
def dataset(tmp_path, write_image):
    """Two images, three objects that are not in the order of the images, one crowd of runs."""
    write_image("val/0.png")
    write_image("val/1.png")
    counts = [0, 48 * 2, 48 * 62]
    document = {
        "images": [
            {"id": number, "file_name": f"{number}.png", "width": 64, "height": 48}
            for number in (0, 1)
        ],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 5, 20, 20], "area": 300,
             "segmentation": [[10, 5, 30, 5, 30, 25, 10, 25]]},
            {"id": 2, "image_id": 0, "category_id": 1, "bbox": [0, 0, 2, 48], "iscrowd": 1,
             "segmentation": {"size": [48, 64], "counts": counts}},
            {"id": 3, "image_id": 1, "category_id": 1, "bbox": [40, 8, 9, 9]},
            {"id": 4, "image_id": 1, "category_id": 1, "bbox": [40, 8, 0, 0],
             "segmentation": [[0, 0, 1, 0, 1, 1]]},
        ],
    }  # fmt: skip
    (tmp_path / "annotations").mkdir()
    file = tmp_path / "annotations" / "instances_val.json"
    file.write_text(json.dumps(document))
    return str(tmp_path), file, document


def test_coco_gives_masks_on_demand(dataset):
    path, _, _ = dataset
    plain = detection_source("coco", path, "val")
    assert not plain.dense and plain[1].objects.masks is None
    assert plain.annotations.segmentations is None, "nothing is kept that is not asked for"
    source = detection_source("coco", path, "val", masks=True)
    assert source.dense and source[0].objects.masks.shape == (1, 48, 64)
    assert source[0].objects.masks[0, :, :2].all() and source[0].objects.masks.sum() == 96
    # The box without extent was dropped, and its polygon with it.
    first, second = source[1].objects.masks
    assert first[5:25, 10:30].all() and first.sum() == 400
    assert second[8:17, 40:49].all() and second.sum() == 81
    np.testing.assert_array_equal(source[1].objects.boxes, plain[1].objects.boxes)


def test_a_faulty_segmentation_is_reported_and_its_object_dropped(dataset):
    path, file, document = dataset
    document["annotations"][0]["segmentation"] = [[1, 2]]
    file.write_text(json.dumps(document))
    with pytest.raises(DataError, match="annotation 1: segmentation must be"):
        detection_source("coco", path, "val", masks=True)
    faults = []
    source = detection_source("coco", path, "val", masks=True, on_fault=faults.append)
    assert len(faults) == 1 and source[1].objects.masks.sum() == 81
    assert len(detection_source("coco", path, "val")[1].objects) == 2, "masks are not looked at"
