import re

import numpy as np
import pytest

from jaxvision.data.annotations import from_rows
from jaxvision.data.classification import classification_source
from jaxvision.data.detection import detection_source
from jaxvision.data.sources.files import DetectionFiles
from jaxvision.data.sources.labelled import LabelledArrays
from jaxvision.data.splits import (
    fold_indices,
    open_split,
    parse_fold,
    rarest_classes,
    split_indices,
    splits,
)


@pytest.fixture
def table(write_image, write_text, tmp_path):
    """Ten images with a cat, every fifth with a dog besides; two are a split of their own."""
    rows = ["filename,width,height,class,xmin,ymin,xmax,ymax"]
    for number in range(10):
        write_image(f"{number}.png")
        rows.append(f"{number}.png,64,48,cat,1,1,9,9")
        if number % 5 == 0:
            rows.append(f"{number}.png,64,48,dog,1,1,9,9")
    write_text("train.csv", "\n".join(rows))
    write_text("val.csv", "\n".join(rows[:1] + rows[3:5]))
    return str(tmp_path)


def test_two_splits_are_opened_with_the_classes_of_the_first(table):
    train, val = splits(detection_source, "csv", table, train="train", val="val", strict=True)
    assert (len(train), len(val)) == (10, 2) and val.classes == ("cat", "dog")
    _, val = splits(
        detection_source, "csv", table, train="train", val="val", classes=("dog", "cat")
    )
    assert val.classes == ("dog", "cat")


@pytest.mark.parametrize("options", [{"fold": "2/5"}, {"val_share": 0.2}])
def test_one_split_is_divided(table, options):
    train, val = splits(detection_source, "csv", table, train="train", val="nowhere", **options)
    names = [part.name(index) for part in (train, val) for index in range(len(part))]
    assert (len(train), len(val)) == (8, 2) and len(set(names)) == 10
    again = splits(detection_source, "csv", table, train="train", val="", **options)
    assert [again[1].name(i) for i in range(2)] == names[8:]
    other = splits(detection_source, "csv", table, train="train", val="", split_seed=1, **options)
    assert {other[1].name(i) for i in range(2)} != set(names[8:])


def test_a_rare_class_is_in_every_fold(table):
    for seed in range(5):
        for fold in ("1/2", "2/2"):
            options = {"fold": fold, "split_seed": seed}
            parts = splits(detection_source, "csv", table, train="train", val="", **options)
            assert all("cat 5, dog 1" in part.describe() for part in parts)


def test_shapes_have_lengths():
    lengths = {"train_images": 8, "val_images": 3, "image_size": 64}
    train, val = splits(detection_source, "shapes", "", train="train", val="val", **lengths)
    assert (len(train), len(val)) == (8, 3) and val.name(0) == "shapes/val[0]"
    train, val = splits(
        detection_source, "shapes", "", train="train", val="val", fold="1/4", **lengths
    )
    assert (len(train), len(val)) == (6, 2) and "shapes/train" in val.name(0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fold": "1/5", "val_share": 0.2}, "exclude each other, got 1/5 and 0.2"),
        ({"fold": "6/5"}, "got '6/5'"),
        ({"val_share": 1.0}, "val_share must be between 0 and 1, got 1.0"),
        ({"val_share": -0.2}, "val_share must be between 0 and 1, got -0.2"),
        ({"fold": "1/20"}, "has 10 images, too few"),
        ({}, "data.train and data.val must name a split"),
    ],
)
def test_divisions_that_cannot_be(table, options, words):
    with pytest.raises(ValueError, match=words):
        splits(detection_source, "csv", table, train="train", val="", **options)


@pytest.mark.parametrize(("length", "count"), [(23, 5), (10, 2), (7, 7)])
def test_folds_are_disjoint_and_cover_everything(length, count):
    folds = [fold_indices(length, (k, count), 3) for k in range(1, count + 1)]
    assert sorted(np.concatenate([val for _, val in folds]).tolist()) == list(range(length))
    sizes = [len(val) for _, val in folds]
    assert max(sizes) - min(sizes) <= 1
    for train, val in folds:
        assert sorted([*train, *val]) == list(range(length))
        assert (np.diff(train) > 0).all() and (np.diff(val) > 0).all()


# Written once, from numpy's PCG64; every machine and version has to divide alike.
GOLDEN_FOLD = [2, 7]
GOLDEN_SHARE = [1, 8, 9]


def test_a_division_is_the_same_everywhere():
    assert fold_indices(10, (2, 5), 0)[1].tolist() == GOLDEN_FOLD
    assert split_indices(10, 0.3, 7)[1].tolist() == GOLDEN_SHARE
    assert fold_indices(10, (2, 5), 1)[1].tolist() != GOLDEN_FOLD


@pytest.mark.parametrize(
    ("length", "share", "count"), [(10, 0.3, 3), (10, 0.001, 1), (10, 0.999, 9), (2, 0.2, 1)]
)
def test_a_share_is_of_its_size(length, share, count):
    train, val = split_indices(length, share, 0)
    assert len(val) == count and sorted([*train, *val]) == list(range(length))


def test_every_image_is_as_likely_to_be_drawn():
    drawn = np.zeros(20)
    for seed in range(2000):
        drawn[split_indices(20, 0.25, seed)[1]] += 1
    # 500 expected, with a standard deviation of 19.4.
    assert np.abs(drawn - 500).max() < 80


def test_strata_are_spread_over_folds_and_shares():
    rng = np.random.default_rng(0)
    strata = rng.choice([-1, 0, 1, 2], 101, p=[0.1, 0.7, 0.14, 0.06])
    total = np.bincount(strata + 1, minlength=4)
    assert total.min() >= 5
    for seed in range(20):
        counts = []
        for k in range(1, 6):
            _, val = fold_indices(101, (k, 5), seed, strata)
            counts.append(np.bincount(strata[val] + 1, minlength=4))
        counts = np.array(counts)
        assert (counts >= 1).all() and (np.ptp(counts, axis=0) <= 1).all()
        assert np.ptp(counts.sum(axis=1)) <= 1
        _, val = split_indices(101, 0.2, seed, strata)
        share = np.bincount(strata[val] + 1, minlength=4)
        assert len(val) == 20 and (np.abs(share - total * 20 / 101) < 1).all()


def test_the_rarest_class_is_that_of_the_fewest_images():
    # Class a is in 3 images, b in 1 and as a crowd in another, c in 1.
    rows = from_rows(
        "",
        [f"{number}.jpg" for number in range(5)],
        None,
        image=[1, 1, 2, 2, 3, 3, 4],
        boxes=np.tile([0.25, 0.5, 0.5, 1], (7, 1)),
        classes=[0, 0, 0, 1, 1, 0, 2],
        crowd=[False, False, False, False, True, False, False],
    )
    assert rarest_classes(DetectionFiles(rows, ("a", "b", "c"))).tolist() == [-1, 0, 1, 0, 2]


def test_the_rarest_class_of_labelled_images():
    pixels = np.zeros((4, 2, 2, 3), np.uint8)
    one = LabelledArrays("set", ("a", "b"), np.int32([0, 1, 1, 0]), pixels)
    assert rarest_classes(one).tolist() == [0, 1, 1, 0]
    targets = np.float32([[1, 1], [1, 0], [0, 0], [1, 0]])
    assert rarest_classes(LabelledArrays("set", ("a", "b"), targets, pixels)).tolist() == [
        1, 0, -1, 0,
    ]  # fmt: skip


def _names(source):
    return [source.name(index) for index in range(len(source))]


@pytest.mark.parametrize("division", [{"fold": "2/5"}, {"val_share": 0.2}])
def test_one_part_is_opened_as_with_both(table, division):
    keywords = dict(train="train", val="val", split_seed=3, **division)
    train, val = splits(detection_source, "csv", table, **keywords)
    for name, part in (("train", train), ("val", val)):
        alone = open_split(detection_source, name, "csv", table, test="val", **keywords)
        assert _names(alone) == _names(part)
    # Classes of a trained run, which the small split does not have.
    test = open_split(
        detection_source, "test", "csv", table, test="val", classes=train.classes, **keywords
    )
    assert len(test) == 2 and test.classes == ("cat", "dog")


def test_one_split_is_opened_without_the_others(table):
    keywords = dict(train="nowhere", val="val")
    assert len(open_split(detection_source, "val", "csv", table, **keywords)) == 2
    with pytest.raises(ValueError, match="data.test must name a split"):
        open_split(detection_source, "test", "csv", table, **keywords)
    with pytest.raises(ValueError, match="split must be train, val or test, got 'all'"):
        open_split(detection_source, "all", "csv", table, **keywords)


def test_classification_is_divided_by_class():
    keywords = dict(train="train", val="val", train_images=40, val_images=7)
    train, val = splits(classification_source, "digits", None, val_share=0.25, **keywords)
    assert (len(train), len(val)) == (30, 10) and sorted(val.labels.tolist()) == list(range(10))
    assert val[3].label == val.labels[3] and "10 of 40 images" in val.describe()
    train, val = splits(classification_source, "digits", None, **keywords)
    assert (len(train), len(val)) == (40, 7)


def test_a_division_that_cannot_be():
    with pytest.raises(ValueError, match="at least 5 images, got 4"):
        fold_indices(4, (1, 5), 0)
    with pytest.raises(ValueError, match="1 <= k <= n, got 6 of 5"):
        fold_indices(9, (6, 5), 0)
    with pytest.raises(ValueError, match="at least 2 images"):
        split_indices(1, 0.5, 0)
    for share in (0, 1, -0.1, float("nan")):
        with pytest.raises(ValueError, match="between 0 and 1"):
            split_indices(9, share, 0)
    with pytest.raises(ValueError, match=r"one number an image, 3, got \(2,\)"):
        fold_indices(3, (1, 2), 0, np.zeros(2, int))


def test_folds_are_read():
    assert parse_fold("2/5") == (2, 5) and parse_fold(" 1 / 2 ") == (1, 2)


@pytest.mark.parametrize("text", ["0/5", "6/5", "2/1", "1/1", "first", "", "2", "2/5/1", "-1/5"])
def test_what_is_no_fold(text):
    with pytest.raises(ValueError, match=re.escape(f"got {text!r}")):
        parse_fold(text)
