import re

import numpy as np
import pytest

from jaxvision.data.annotations import from_rows
from jaxvision.data.example import DetectionSource, LazyDetectionSource
from jaxvision.data.image import decode_image
from jaxvision.data.sources.files import DetectionFiles
from jaxvision.data.sources.shapes import Shapes
from jaxvision.data.sources.subset import (
    Subset,
    fold_indices,
    parse_fold,
    rarest_classes,
    split_indices,
)


@pytest.fixture
def files(tmp_path, write_image):
    """Five images: with nothing, a and a, a and b, a crowd of b with a, and c."""
    for number in range(5):
        write_image(f"{number}.jpg", 64 + number, 48)
    annotations = from_rows(
        str(tmp_path),
        [f"{number}.jpg" for number in range(5)],
        None,
        image=[1, 1, 2, 2, 3, 3, 4],
        boxes=np.tile([0.25, 0.5, 0.5, 1], (7, 1)),
        classes=[0, 0, 0, 1, 1, 0, 2],
        crowd=[False, False, False, False, True, False, False],
    )
    return DetectionFiles(annotations, ("a", "b", "c"))


def _same(one, two):
    for a, b in zip(one, two, strict=True):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_array_equal(a, b)


def test_a_subset_gives_what_its_source_gives(files):
    subset: DetectionSource = Subset(files, [4, 2])
    assert isinstance(subset, LazyDetectionSource) and len(subset) == 2
    for index, original in enumerate([4, 2]):
        _same(subset[index], files[original])
        _same(subset.annotation(index), files.annotation(original))
        _same(subset.image(index, 2), files.image(original, 2))
        _same(subset.labels(index), files.labels(original))
        assert subset.encoded(index) == files.encoded(original)
        assert subset.name(index) == files.name(original)
    for index in (-1, 2):
        with pytest.raises(IndexError, match=r"\[0, 2\)"):
            subset[index]


def test_a_subset_counts_its_own_objects_without_reading_images(files, tmp_path):
    for path in tmp_path.iterdir():
        path.unlink()
    subset = Subset(files, np.array([0, 3, 1]))
    assert subset.classes == ("a", "b", "c") and subset.max_objects == 2
    text = subset.describe(1)
    assert "3 of 5 images" in text and "a 3, b 0, c 0" in text
    assert "1 of them without objects; 3 objects, at most 2 in an image; 1 crowds" in text
    assert "1 images hold more than 1 objects" in text
    assert Subset(files, [4]).max_objects == 1 and Subset(files, [0]).max_objects == 0


def test_a_subset_of_a_subset(files):
    nested = Subset(Subset(files, [4, 2, 1]), [2])
    _same(nested[0], files[1])
    assert "a 2, b 0, c 0" in nested.describe()


def test_a_subset_of_pictures_that_are_drawn():
    shapes = Shapes(5, image_size=64)
    subset = Subset(shapes, [3])
    _same(subset[0], shapes[3])
    _same(subset.image(0), (shapes[3].image, 1))
    assert subset.annotation(0).width == 64 and subset.max_objects == shapes.max_objects
    assert "1 of 5 images" in subset.describe() and "drawn with seed 0" in subset.describe()
    np.testing.assert_array_equal(decode_image(subset.encoded(0), "x"), shapes[3].image)
    _same(subset.labels(0), (shapes[3].classes, shapes[3].crowd))
    assert rarest_classes(shapes) is None


def test_what_was_mended_in_the_whole_dataset_is_told(write_image, tmp_path):
    write_image("a.png")
    boxes = [[1, 1, 9, 9], [1, 1, 99, 9], [9, 9, 9, 9]]
    annotations = from_rows(
        str(tmp_path), ["a.png", "b.png"], [(64, 48)] * 2, image=[0, 1, 1], boxes=boxes,
        classes=[0, 0, 0],
    )  # fmt: skip
    text = Subset(DetectionFiles(annotations, ("a",)), [0]).describe()
    assert "1 objects, at most 1" in text and "in all 2: clipped 1 boxes" in text
    assert "in all 2: dropped 1 boxes" in text


@pytest.mark.parametrize("indices", [[], [5], [-1], [[0]]])
def test_bad_indices(files, indices):
    with pytest.raises(ValueError, match="ind"):
        Subset(files, indices)


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


def test_the_rarest_class_is_that_of_the_fewest_images(files):
    # Class a is in 3 images, b in 1 and as a crowd in another, c in 1.
    assert rarest_classes(files).tolist() == [-1, 0, 1, 0, 2]


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
