import math

import fill
import numpy as np
import pytest
from detected import NAMES, metric

from jaxvision.metrics.coco import ImageRecord
from jaxvision.metrics.voc import VOC07Detection, VOC10Detection, VOCRule

# What differs between the arrays of the case.
RULES = {
    "ap07_devkit": VOCRule(points=True, inclusive=True),
    "ap10_devkit": VOCRule(inclusive=True),
    "ap07_continuous": VOCRule(points=True, above=False),
    "ap10_continuous": VOCRule(above=False),
}


@pytest.fixture(scope="module")
def records():
    case = fill.load_case("voc_ap")

    def of(prefix, name, image):
        return case[f"{prefix}_{name}"][case[f"{prefix}_image"] == image]

    found = []
    for image in range(int(case["images"])):
        boxes, objects = of("dt", "box", image), of("gt", "box", image)
        found.append(
            ImageRecord(
                image,
                boxes,
                of("dt", "score", image),
                of("dt", "class", image) - 1,
                objects,
                of("gt", "class", image) - 1,
                of("gt", "difficult", image).astype(bool),
                (objects[:, 2:] - objects[:, :2]).prod(axis=1),
            )
        )
    return found


@pytest.mark.parametrize("name", RULES)
def test_matches_reference(records, name):
    case = fill.load_case("voc_ap")
    ours = RULES[name].by_class(records, int(case["classes"]))
    np.testing.assert_allclose(ours, case[name], rtol=0, atol=1e-12)


def test_boxes_of_the_reader_give_the_overlaps_of_the_development_kit(records):
    # The first corners of the files' boxes one pixel further: widths without a last pixel.
    moved = [
        record._replace(
            boxes=record.boxes - (1, 1, 0, 0), object_boxes=record.object_boxes - (1, 1, 0, 0)
        )
        for record in records
    ]
    inclusive = VOCRule(inclusive=True).by_class(records, 4)
    np.testing.assert_array_equal(VOCRule().by_class(moved, 4), inclusive)


def test_curves_by_hand():
    # Of two objects the first detection finds one, the third the other.
    recall, precision = np.array([0.5, 0.5, 1.0]), np.array([1, 1 / 2, 2 / 3])
    area = VOCRule().average_precision(recall, precision)
    assert math.isclose(area, 0.5 * 1 + 0.5 * 2 / 3)
    points = VOCRule(points=True).average_precision(recall, precision)
    assert math.isclose(points, (6 * 1 + 5 * 2 / 3) / 11)
    # A recall of 3 of 10 stays below the fourth point, 0.30000000000000004.
    assert VOCRule(points=True).average_precision(np.array([0.3]), np.ones(1)) == 3 / 11
    assert VOCRule().average_precision(np.zeros(0), np.zeros(0)) == 0.0


BOX, FAR = (0, 0, 10, 10), (50, 50, 60, 60)
IMAGES = [
    {"objects": [(BOX, 0, False)], "found": [(BOX, 0, 0.9), (BOX, 0, 0.8), (FAR, 2, 0.7)]},
    {"objects": [(BOX, 1, True), (FAR, 0, False)], "found": [(BOX, 1, 0.9), (FAR, 0, 0.5)]},
]


@pytest.mark.parametrize(("kind", "name"), [(VOC07Detection, "VOC07"), (VOC10Detection, "VOC10")])
def test_values_of_a_metric(kind, name):
    whole = metric(IMAGES, kind=kind).compute()
    # The second detection of the first object is wrong; a class with difficult objects alone and
    # one without objects have no AP.
    expected = (0.5 + 0.5 * 2 / 3) if name == "VOC10" else (6 + 5 * 2 / 3) / 11
    assert math.isclose(whole[name], expected)
    assert math.isclose(whole[f"{name}/circle"], expected)
    assert math.isnan(whole[f"{name}/square"]) and math.isnan(whole[f"{name}/star"])
    assert set(whole) - set(metric(IMAGES).compute()) == {name, *(f"{name}/{k}" for k in NAMES)}
    parts = [metric([image], kind=kind, first=i) for i, image in enumerate(IMAGES)]
    merged = parts[1].merge(kind.empty()).merge(parts[0])
    np.testing.assert_equal(merged.compute(), whole)


def test_an_iou_equal_to_the_threshold():
    half = {"objects": [(BOX, 0, False)], "found": [((0, 0, 10, 5), 0, 0.9)]}
    records = metric([half]).images()
    assert VOCRule().by_class(records, 1) == [0.0]
    assert VOCRule(above=False).by_class(records, 1) == [1.0]
