import numpy as np
import pytest

from jaxvision.losses.detection.rcnn import Described, RCNNMethod
from jaxvision.ops import box_coding


def images(count, *, classes=2, regions=30, seed=0):
    """Regions whose features are the class they show (or none), noise, and how far their box is."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        kinds = rng.integers(-1, classes, regions)
        boxes = np.tile(np.array([10.0, 10.0, 30.0, 30.0], np.float32), (regions, 1))
        shift = rng.uniform(-2, 2, regions).astype(np.float32)
        exact = rng.uniform(size=regions) < 0.3
        shift[exact] = 0
        overlaps = np.zeros((regions, classes), np.float32)
        nearest = np.zeros((regions, classes, 4), np.float32)
        for i in np.flatnonzero(kinds >= 0):
            overlaps[i, kinds[i]] = 1.0 if exact[i] else 0.8
            nearest[i, kinds[i]] = boxes[i] + shift[i] * np.array([1, 0, 1, 0])
        features = np.concatenate(
            [
                np.eye(classes + 1)[kinds][:, :classes] * 5,
                shift[:, None] * (kinds >= 0)[:, None],
                0.1 * rng.normal(size=(regions, 4)),
            ],
            axis=1,
        ).astype(np.float32)
        found.append(Described(features, boxes, overlaps, nearest))
    return found


def test_machines_separate_the_classes_and_move_the_boxes():
    given = images(20)
    method = RCNNMethod(svm_c=1.0, box_ridge=1e-3)
    machines = method.fit(lambda: iter(given), seed=0)
    for image in images(5, seed=1):
        scores = image.features @ machines.svm_kernel + machines.svm_bias[None]
        np.testing.assert_array_equal(scores > 0, image.overlaps > 0.5)
        codes = np.einsum("rd,dkc->rkc", image.features, machines.box_kernel) + machines.box_bias
        for k in range(2):
            near = image.overlaps[:, k] > 0.5
            decoded = np.asarray(box_coding.decode(codes[:, k], image.boxes, method.weights))
            np.testing.assert_allclose(decoded[near], image.nearest[near, k], atol=0.1)


def test_hard_negatives_are_found_in_the_second_pass():
    # Background that looks like class 0 but for one feature; four of it a draw are too few.
    given = images(3, classes=1)
    rng = np.random.default_rng(5)
    hard = np.zeros((200, 6), np.float32)
    hard[:, 0], hard[:, 2:] = 5, 0.1 * rng.normal(size=(200, 4))
    hard[:, 2] += 1
    easy = 0.1 * rng.normal(size=(4000, 6)).astype(np.float32)
    features = np.concatenate([hard, easy])
    boxes = np.tile(np.array([0, 0, 5, 5], np.float32), (len(features), 1))
    none = np.zeros((len(features), 1), np.float32)
    given.append(Described(features, boxes, none, np.zeros((len(features), 1, 4), np.float32)))
    passes = []

    def all_images():
        passes.append(1)
        return iter(given)

    machines = RCNNMethod(svm_c=10.0).fit(all_images, seed=0)
    assert len(passes) == 2
    scores = hard @ machines.svm_kernel + machines.svm_bias[None]
    assert (scores < 0).mean() > 0.99


def test_a_class_without_objects_is_never_found():
    given = [
        Described(x.features, x.boxes, np.c_[x.overlaps, 0 * x.overlaps[:, :1]],
                  np.concatenate([x.nearest, x.nearest[:, :1]], axis=1))
        for x in images(5)
    ]  # fmt: skip
    machines = RCNNMethod().fit(lambda: iter(given), seed=0)
    scores = given[0].features @ machines.svm_kernel + machines.svm_bias[None]
    assert (scores[:, 2] < -100).all()
    assert np.isfinite(machines.box_kernel).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(box_iou=1.5), r"box_iou must be in \[0, 1\], got 1.5"),
        (dict(svm_c=0.0), "svm_c must be above 0, got 0.0"),
        (dict(max_negatives=0), "max_negatives must be above 0, got 0"),
    ],
)
def test_values_out_of_range_are_errors(options, message):
    with pytest.raises(ValueError, match=message):
        RCNNMethod(**options)
