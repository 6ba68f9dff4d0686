import literal
import numpy as np
import pytest

from jaxvision.data.annotations import from_rows
from jaxvision.data.balance import class_weights, image_weights, labels
from jaxvision.data.sources.files import DetectionFiles
from jaxvision.data.sources.labelled import LabelledArrays

CLASSES = ("common", "rare", "none")


def files(classes, images, crowd=None, names=CLASSES):
    """A dataset of the given objects, without the images."""
    total = max(images, default=-1) + 2  # the last one is empty
    rows = from_rows(
        "",
        [f"{i}.jpg" for i in range(total)],
        [(64, 64)] * total,
        image=images,
        boxes=[(0, 0, 9, 9)] * len(classes),
        classes=classes,
        crowd=crowd,
    )
    return DetectionFiles(rows, names)


# Image 0: three common ones and a rare one; 1 to 4: one common one each; 5: none.
SOURCE = files([0, 0, 0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 2, 3, 4])


def test_inverse_frequency_by_hand():
    # 8 objects of 2 classes: 8 / (2 * 7) and 8 / (2 * 1); the mean over objects is 1.
    weights = class_weights(SOURCE, "inverse")
    np.testing.assert_allclose(weights, [4 / 7, 4, 1])
    assert weights @ [7, 1, 0] / 8 == pytest.approx(1)


def test_effective_number_by_hand():
    # With beta = 1/2: 1 / (2 - 2^-6) for seven objects, 1 for one; scaled to 8 in all.
    common, rare = 64 / 127, 1.0
    scale = 8 / (7 * common + rare)
    weights = class_weights(SOURCE, "effective", beta=0.5)
    np.testing.assert_allclose(weights, [common * scale, rare * scale, 1])
    np.testing.assert_allclose(class_weights(SOURCE, "effective", beta=0.0), 1)
    np.testing.assert_allclose(
        class_weights(SOURCE, "effective", beta=1 - 1e-9), class_weights(SOURCE, "inverse"), 1e-5
    )


def test_crowds_are_not_counted():
    source = files([0, 1, 1, 1], [0, 0, 0, 1], crowd=[False, False, True, True])
    np.testing.assert_allclose(class_weights(source, "inverse"), [1, 1, 1])
    assert labels(source).image.tolist() == [0, 0] and labels(source).classes.tolist() == [0, 1]


def test_no_objects():
    source = files([], [])
    for rule in ("inverse", "effective"):
        assert class_weights(source, rule).tolist() == [1, 1, 1]
    for rule in ("repeat", "inverse"):
        assert image_weights(source, rule).tolist() == [1]


def test_repeat_factors_by_hand():
    # Of six images, five show common ones and one a rare one: sqrt(2/3 / (1/6)) = 2.
    np.testing.assert_allclose(image_weights(SOURCE, threshold=2 / 3), [2, 1, 1, 1, 1, 1])
    # sqrt(1 / (5/6)) for the common ones, sqrt(6) for the rare one.
    expected = [6**0.5, *[1.2**0.5] * 4, 1]
    np.testing.assert_allclose(image_weights(SOURCE, threshold=1.0), expected)
    np.testing.assert_allclose(image_weights(SOURCE), 1, err_msg="nothing is rarer than 0.001")


def test_inverse_frequency_of_images_by_hand():
    # (3 * 4/7 + 4) / 4 for the first, 4/7 for those with one common object.
    expected = [10 / 7, *[4 / 7] * 4, 1]
    np.testing.assert_allclose(image_weights(SOURCE, "inverse"), expected)


@pytest.mark.parametrize("rule", ["repeat", "inverse"])
def test_image_weights_against_brute_force(rule):
    rng = np.random.default_rng(0)
    names = tuple("abcdefgh")
    images = rng.integers(0, 60, 150)
    classes = np.minimum(rng.geometric(0.4, 150) - 1, 7)
    crowd = rng.random(150) < 0.1
    source = files(classes, images, crowd, names)
    shown = [classes[(images == i) & ~crowd].tolist() for i in range(len(source))]
    each = [c for objects in shown for c in objects]
    expected = []
    for objects in shown:
        if rule == "repeat":
            share = {c: sum(c in other for other in shown) / len(shown) for c in set(objects)}
            expected.append(max([max(1, (0.3 / share[c]) ** 0.5) for c in share], default=1))
        else:
            part = [len(each) / len(set(each)) / each.count(c) for c in objects]
            expected.append(sum(part) / len(part) if part else 1)
    np.testing.assert_allclose(image_weights(source, rule, threshold=0.3), expected)


def test_sources_without_flat_arrays_are_read_image_by_image():
    # `Pictures` gives all objects of image i the class i modulo 3.
    pictures = [np.zeros((8, 8, 3), np.uint8)] * 3
    crowd = [np.array([False, True]), np.zeros(0, bool), np.zeros(1, bool)]
    source = literal.Pictures(pictures, [[[0, 0, 4, 4]] * 2, [], [[0, 0, 4, 4]]], crowd)
    found = labels(source)
    assert found.image.tolist() == [0, 2] and found.classes.tolist() == [0, 2]
    assert not source.read


def test_labelled_images_are_weighed_by_their_classes():
    pixels = np.zeros((8, 2, 2, 3), np.uint8)
    one = LabelledArrays("set", CLASSES, np.int32([0] * 7 + [1]), pixels)
    np.testing.assert_allclose(class_weights(one, "inverse"), [4 / 7, 4, 1])
    np.testing.assert_allclose(image_weights(one, "inverse"), [4 / 7] * 7 + [4])
    # Shares of 7/8 and 1/8: sqrt(1/2 / (1/8)) = 2 for the rare one.
    np.testing.assert_allclose(image_weights(one, threshold=0.5), [1] * 7 + [2])
    targets = np.zeros((8, 3), np.float32)
    targets[:7, 0] = targets[0, 1] = 1
    many = LabelledArrays("set", CLASSES, targets, pixels)
    np.testing.assert_allclose(class_weights(many, "inverse"), [4 / 7, 4, 1])
    np.testing.assert_allclose(image_weights(many, "inverse"), [16 / 7, *[4 / 7] * 6, 1])


def test_unknown_rules_and_bad_numbers():
    with pytest.raises(ValueError, match="rule must be one of inverse, effective, got repeat"):
        class_weights(SOURCE, "repeat")
    with pytest.raises(ValueError, match="rule must be one of repeat, inverse, got effective"):
        image_weights(SOURCE, "effective")
    with pytest.raises(ValueError, match=r"beta must be in \[0, 1\), got 1"):
        class_weights(SOURCE, "effective", beta=1)
    with pytest.raises(ValueError, match=r"threshold must be in \(0, 1\], got 0"):
        image_weights(SOURCE, threshold=0)
