import itertools

import numpy as np
import pytest

from jaxvision.data.boxes import iou
from jaxvision.metrics.coco import COCODetection, ImageRecord
from jaxvision.metrics.detection_errors import THRESHOLDS, Rates, confusion, match


def record(detections=(), objects=(), index=0):
    """An image: detections (x, side, class, score) and objects (x, side, class, crowd)."""

    def boxes(rows):
        return np.array([(x, 0, x + side, side) for x, side, *_ in rows], float).reshape(-1, 4)

    objects = [(*row, False)[:4] for row in objects]
    return ImageRecord(
        index,
        boxes(detections),
        np.array([row[3] for row in detections], float),
        np.array([row[2] for row in detections], int),
        boxes(objects),
        np.array([row[2] for row in objects], int),
        np.array([row[3] for row in objects], bool),
        np.array([row[1] ** 2 for row in objects], float),
    )


def test_best_detection_takes_the_object_and_others_are_wrong():
    one = record(
        detections=[(0, 10, 0, 0.6), (1, 10, 0, 0.9), (50, 10, 0, 0.8), (0, 10, 1, 0.7)],
        objects=[(0, 10, 0), (80, 10, 1)],
    )
    found = match([one], 2)
    assert found.right.tolist() == [False, True, False, False]
    assert found.found.tolist() == [0.9, -1.0]
    right, total, objects = found.counts()
    at = int(np.searchsorted(THRESHOLDS, 0.65))
    assert right[at].tolist() == [1, 0] and total[at].tolist() == [2, 1]
    assert objects.tolist() == [1, 1]
    rates = Rates.of(found)
    assert rates.precision[at].tolist() == [0.5, 0.0] and rates.recall[at].tolist() == [1.0, 0.0]
    assert rates.f1[at, 0] == pytest.approx(2 / 3)


def test_suggested_threshold_is_the_first_of_the_highest_mean_f1():
    detections = [(0, 10, 0, 0.9), (20, 10, 0, 0.55), (60, 10, 0, 0.3), (70, 10, 0, 0.3)]
    rates = Rates.of(match([record(detections, [(0, 10, 0), (20, 10, 0)])], 2))
    # Without the two false ones below 0.31 all is right; class 1 has no object and no say.
    assert THRESHOLDS[rates.best()] == pytest.approx(0.31)
    assert np.isnan(rates.f1[:, 1]).all()


def test_detections_on_crowds_do_not_count():
    one = record([(0, 10, 0, 0.9), (30, 4, 0, 0.8)], [(0, 10, 0), (25, 30, 0, True)])
    found = match([one], 1)
    assert found.right.tolist() == [True] and len(found.found) == 1
    assert confusion([one], 1, 0.0).tolist() == [[1, 0], [0, 0]]


def test_confusions_prefer_the_right_class_and_end_at_the_background():
    one = record(
        detections=[
            *[(0, 10, 1, 0.9), (0, 10, 0, 0.5)],  # both on the first object: the right one counts
            (20, 10, 1, 0.8),  # takes the second for another class
            (90, 10, 0, 0.7),  # nothing there
            (90, 10, 0, 0.1),  # below the threshold
        ],
        objects=[(0, 10, 0), (20, 10, 0), (50, 10, 1)],
    )
    counts = confusion([one], 2, 0.3)
    assert counts.tolist() == [[1, 1, 0], [0, 0, 1], [1, 1, 0]]


def test_area_below_the_curve_is_that_of_coco():
    """AP50 of COCO samples the same curve at 101 recalls."""
    rng = np.random.default_rng(0)
    records = []
    for index in range(40):
        objects = [(x, 10, int(rng.integers(2))) for x in range(0, 100, 20)]
        detections = [
            (x + rng.integers(-4, 5), 10, kind, rng.random())
            for (x, _, kind), _ in itertools.product(objects, range(2))
            if rng.random() < 0.7
        ]
        records.append(record(detections, objects, index))
    metric = COCODetection(("a", "b"), tuple(records)).compute()
    found = match(records, 2)
    for k, name in enumerate("ab"):
        recall, precision = found.precision_recall(k)
        sampled = np.linspace(0, 1, 101)
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        place = np.searchsorted(recall[1:], sampled - 1e-9)
        values = np.append(envelope[1:], 0.0)[place]
        assert values.mean() == pytest.approx(metric[f"AP50/{name}"], abs=1e-9)


def test_matches_are_those_of_brute_force():
    rng = np.random.default_rng(1)
    for _ in range(50):
        objects = [(int(x), 10, int(rng.integers(2))) for x in rng.integers(0, 60, 5)]
        detections = [
            (int(x), 10, int(rng.integers(2)), s)
            for x, s in zip(rng.integers(0, 60, 8), rng.random(8), strict=True)
        ]
        one = record(detections, objects)
        taken, right = set(), [False] * 8
        for i in sorted(range(8), key=lambda i: -detections[i][3]):
            best = [
                (iou(one.boxes[i], one.object_boxes[j]), -j)
                for j in range(5)
                if j not in taken and objects[j][2] == detections[i][2]
            ]
            if best and max(best)[0] >= 0.5:
                right[i] = True
                taken.add(-max(best)[1])
        assert match([one], 2).right.tolist() == right


def test_no_detections_and_no_objects():
    empty = match([record()], 2)
    rates = Rates.of(empty)
    assert np.isnan(rates.f1).all() and rates.best() == 0
    missed = match([record((), [(0, 10, 0)])], 1)
    assert missed.precision_recall(0).y.tolist() == [0.0]
    assert confusion([record((), [(0, 10, 0)])], 1, 0.5).tolist() == [[0, 1], [0, 0]]
