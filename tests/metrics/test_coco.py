import math

import numpy as np
import pytest
from detected import NAMES, metric

from jaxvision.metrics.coco import COCODetection

THRESHOLDS = np.linspace(0.5, 0.95, 10)
SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}


def overlap(a, b, crowd):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    area_a = (a[2] - a[0]) * (a[3] - a[1])
    area_b = (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (area_a if crowd else area_a + area_b - width * height)


def brute_force(images, category, threshold, size, limit=100):
    """Precision at 101 recalls and the final recall of one class, as the COCO paper words it."""
    low, high = size
    verdicts, positives = [], 0
    for image in images:
        objects = []
        for box, kind, crowd, *area in image["objects"]:
            if kind == category:
                area = area[0] if area else (box[2] - box[0]) * (box[3] - box[1])
                objects.append((box, crowd, crowd or not low <= area <= high))
        positives += sum(not ignored for _, _, ignored in objects)
        taken = set()
        found = [f for f in image["found"] if f[1] == category]
        for box, _, score in sorted(found, key=lambda f: -f[2])[:limit]:
            best = None
            # An object that counts is preferred to any that is ignored, whatever their overlaps.
            for ignoring in (False, True):
                if best is not None:
                    break
                highest = threshold
                for i, (other, crowd, ignored) in enumerate(objects):
                    if ignored != ignoring or (i in taken and not crowd):
                        continue
                    value = overlap(box, other, crowd)
                    if value >= highest:
                        best, highest = i, value
            area = (box[2] - box[0]) * (box[3] - box[1])
            if best is None:
                if low <= area <= high:
                    verdicts.append((score, False))
            else:
                taken.add(best)
                if not objects[best][2]:
                    verdicts.append((score, True))
    if positives == 0:
        return None
    verdicts.sort(key=lambda v: -v[0])
    hits = np.cumsum([hit for _, hit in verdicts])
    recalls = hits / positives
    precisions = hits / np.arange(1, len(hits) + 1)
    curve = [
        max((p for p, r in zip(precisions, recalls, strict=True) if r >= level), default=0.0)
        for level in np.linspace(0, 1, 101)
    ]
    return np.mean(curve), (recalls[-1] if len(recalls) else 0.0)


def expected(images, names=NAMES):
    def mean(which, thresholds=THRESHOLDS, categories=None, size=(0, 1e10), limit=100):
        categories = range(len(names)) if categories is None else categories
        values = [brute_force(images, c, t, size, limit) for c in categories for t in thresholds]
        values = [v[which] for v in values if v is not None]
        return np.mean(values) if values else math.nan

    values = {"AP": mean(0), "AP50": mean(0, [0.5]), "AP75": mean(0, [0.75])}
    values |= {f"AP_{n}": mean(0, size=s) for n, s in SIZES.items()}
    values |= {f"AR{m}": mean(1, limit=m) for m in (1, 10, 100)}
    values |= {f"AR_{n}": mean(1, size=s) for n, s in SIZES.items()}
    for c, name in enumerate(names):
        values[f"AP/{name}"] = mean(0, categories=[c])
        values[f"AP50/{name}"] = mean(0, [0.5], [c])
    return values


def random_images(seed, count=6):
    """Crowded images whose detections are jittered objects, duplicates and inventions."""
    rng = np.random.default_rng(seed)

    def box():
        size = np.exp(rng.uniform(np.log(8), np.log(200), 2))
        corner = rng.uniform(0, 300, 2)
        return np.float32([*corner, *(corner + size)]).astype(float)

    images, scores = [], iter(rng.permutation(4000) / 4000)
    for _ in range(count):
        objects = [
            (box(), int(rng.integers(3)), bool(rng.random() < 0.15))
            for _ in range(rng.integers(0, 9))
        ]
        found = []
        for near, kind, _ in objects:
            for _ in range(rng.integers(0, 4)):
                moved = near + rng.normal(0, 0.08, 4) * np.tile(near[2:] - near[:2], 2)
                moved = np.float32(moved).astype(float)
                if (moved[2:] > moved[:2]).all():
                    found.append((moved, kind, float(np.float32(next(scores)))))
        for _ in range(rng.integers(0, 5)):
            found.append((box(), int(rng.integers(3)), float(np.float32(next(scores)))))
        images.append({"objects": objects, "found": found})
    return images


@pytest.mark.parametrize("seed", range(12))
def test_random_images_agree_with_brute_force(seed):
    images = random_images(seed)
    values = metric(images).compute()
    want = expected(images)
    assert list(values) == list(want)
    for name in want:
        np.testing.assert_allclose(values[name], want[name], rtol=1e-9, err_msg=name)


def test_more_than_a_hundred_detections_are_cut_by_score():
    rng = np.random.default_rng(0)
    box = np.array([10.0, 10, 60, 60])
    wrong = [(box + 200, 0, s) for s in np.float32(0.5 + 0.5 * rng.random(100)).astype(float)]
    images = [{"objects": [(box, 0, False)], "found": [*wrong, (box, 0, 0.25)]}]
    assert metric(images).compute()["AR100"] == 0
    images[0]["found"] = images[0]["found"][1:]
    assert metric(images).compute()["AR100"] == 1


BOX = np.array([0.0, 0, 100, 100])


def test_hand_computed_average_precision():
    # By score: hit, miss, hit, of 4 objects. Precision 1 up to recall 1/4 (26 of the 101 levels),
    # 2/3 up to 1/2 (25 levels), then 0.
    boxes = [BOX + 150 * i for i in range(4)]
    found = [(boxes[0], 0, 0.9), (BOX + 1000, 0, 0.8), (boxes[1], 0, 0.7)]
    values = metric([{"objects": [(b, 0, False) for b in boxes], "found": found}]).compute()
    assert values["AP50"] == pytest.approx((26 + 25 * 2 / 3) / 101)
    assert values["AP"] == pytest.approx(values["AP50"])
    assert values["AR100"] == pytest.approx(0.5)
    assert values["AR1"] == pytest.approx(0.25)


def test_overlap_decides_which_thresholds_count():
    # IoU 80 / 120 = 2/3: a hit at 0.50, 0.55, 0.60 and 0.65 only.
    image = {"objects": [(BOX, 0, False)], "found": [(BOX + [20, 0, 20, 0], 0, 0.9)]}
    values = metric([image]).compute()
    assert values["AP"] == pytest.approx(0.4)
    assert (values["AP50"], values["AP75"]) == (1, 0)


def test_second_detection_of_an_object_is_a_miss():
    other = BOX + 300
    image = {
        "objects": [(BOX, 0, False), (other, 0, False)],
        "found": [(BOX, 0, 0.9), (BOX, 0, 0.8), (other, 0, 0.7)],
    }
    # Hit, miss, hit of 2 objects: precision 1 up to recall 1/2 (51 levels), then 2/3.
    assert metric([image]).compute()["AP50"] == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_crowds_are_neither_found_nor_missed():
    image = {
        "objects": [(BOX, 0, False), (BOX + 200, 0, True)],
        "found": [(BOX, 0, 0.5), (BOX + 210 - [0, 0, 40, 40], 0, 0.9), (BOX + 200, 0, 0.8)],
    }
    assert metric([image]).compute()["AP"] == 1
    image["objects"][1] = (BOX + 200, 0, False)
    assert metric([image]).compute()["AP"] < 1


def test_area_of_the_batch_and_not_of_the_box_decides_the_size():
    image = {"objects": [(BOX, 0, False, 500.0)], "found": [(BOX, 0, 0.9)]}
    values = metric([image]).compute()
    assert values["AP_small"] == 1
    assert math.isnan(values["AP_large"])


def test_boxes_are_measured_in_original_pixels():
    # 100 x 100 original pixels are large; 25 x 25 pixels of the network's input would be small.
    image = {"objects": [(BOX, 0, False)], "found": [(BOX, 0, 0.9), (BOX / 5 + 300, 0, 0.95)]}
    values = metric([image], scale=0.25).compute()
    # The invention is 20 x 20 original pixels, so it does not lower the precision of large ones.
    assert values["AP_large"] == 1
    assert values["AP"] == pytest.approx(0.5)


def test_images_that_fill_the_last_batch_do_not_count():
    good = {"objects": [(BOX, 0, False)], "found": [(BOX, 0, 0.9)]}
    filler = {"objects": [(BOX, 0, False)], "found": [(BOX + 300, 0, 0.99)]}
    assert metric([good, filler], mask=[True, False]).compute()["AP"] == 1
    assert metric([good, filler]).compute()["AP"] < 1


def test_merging_batches_of_any_shape_equals_one_batch():
    images = random_images(3, count=9)
    whole = metric(images).compute()
    parts = [metric(images[i:j], extra=i, first=i) for i, j in ((0, 4), (4, 5), (5, 9))]
    merged = COCODetection.empty().merge(parts[2]).merge(parts[0].merge(parts[1]))
    assert merged.merge(COCODetection.empty()).compute() == whole


def test_merging_copies_nothing_and_any_number_of_batches_can_be_merged():
    images = random_images(0, count=1)
    total = first = metric(images)
    for index in range(1, 5_000):
        merged = total.merge(metric(images, first=index) if index < 20 else COCODetection.empty())
        assert merged.records[0] is total.records
        total = merged
    assert total.records is not first.records
    assert len(repr(total)) < 200
    assert total.compute() == metric(images * 20).compute()


def test_image_evaluated_twice_is_an_error():
    part = metric(random_images(0), first=4)
    with pytest.raises(ValueError, match="every image must be evaluated once, got 4 twice"):
        part.merge(part).compute()


def test_no_detections_give_zero():
    values = metric([{"objects": [(BOX, 0, False)], "found": []}]).compute()
    assert values["AP"] == values["AP50/circle"] == values["AR100"] == values["AP_large"] == 0
    assert math.isnan(values["AP/square"])


def test_no_ground_truth_gives_nan():
    for found in ([], [(BOX, 0, 0.9)]):
        values = metric([{"objects": [], "found": found}]).compute()
        assert len(values) == 12 + 2 * len(NAMES)
        assert all(math.isnan(value) for value in values.values())
    crowd = {"objects": [(BOX, 0, True)], "found": [(BOX, 0, 0.9)]}
    assert math.isnan(metric([crowd]).compute()["AP"])
    assert math.isnan(COCODetection.empty().compute()["AP"])


def test_nothing_is_printed(capfd):
    metric(random_images(1)).compute()
    assert capfd.readouterr() == ("", "")


def test_wrong_use_is_named():
    image = {"objects": [(BOX, 3, False)], "found": []}
    with pytest.raises(ValueError, match=r"classes must be in \[0, 3\), got 3 to 3 in image 0"):
        metric([image])
    with pytest.raises(ValueError, match="all different"):
        metric([], names=("a", "a"))
    with pytest.raises(ValueError, match="class_names must be the same"):
        metric([image], names=tuple("abcd")).merge(metric([], names=tuple("abc")))
    empty = np.zeros((1, 0))
    with pytest.raises(ValueError, match="it has no boxes, .*mask"):
        COCODetection.from_model_output(
            boxes=np.zeros((1, 0, 4)),
            scores=empty,
            classes=empty,
            valid=empty,
            batch={"image": np.zeros((1, 8, 8, 3), np.uint8)},
            class_names=NAMES,
        )
