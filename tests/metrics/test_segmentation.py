"""Against the reference's values, scikit-learn, and itself in parts."""

import fill
import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, jaccard_score

from jaxvision.metrics.segmentation import Segmentation, class_values

NAMES = {
    "mIoU": "mean_iou",
    "pixel_accuracy": "pixel_accuracy",
    "mean_accuracy": "mean_accuracy",
    "mean_precision": "mean_precision",
    "mean_dice": "mean_dice",
    "mean_dice_per_image": "mean_dice_per_image",
    "frequency_weighted_iou": "frequency_weighted_iou",
}


def measured(truth, predicted, classes, mask=None):
    mask = np.ones(len(truth), bool) if mask is None else mask
    names = [str(k) for k in range(classes)]
    batch = {"label_map": truth, "mask": mask}
    return Segmentation.from_model_output(predicted=predicted, batch=batch, class_names=names)


@pytest.mark.parametrize("name", ["segmentation_metrics", "segmentation_metrics_absent"])
def test_values_match_reference(name):
    case = fill.load_case(name)
    metric = measured(case["target"], case["prediction"], len(case["confusion"]))
    np.testing.assert_array_equal(metric.confusion, case["confusion"])
    found = metric.compute()
    for ours, theirs in NAMES.items():
        assert found[ours] == pytest.approx(float(case[theirs]), rel=1e-9)
    each = class_values(metric.confusion)
    for ours, theirs in (("accuracy", "accuracy"), ("IoU", "iou"), ("dice", "dice")):
        values = np.nan_to_num(each[ours], nan=-1.0)
        np.testing.assert_allclose(values, case[f"class_{theirs}"], rtol=1e-9)


def test_equals_scikit_learn_and_does_not_depend_on_the_batches():
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 5, (7, 9, 8)), rng.integers(0, 5, (7, 9, 8))
    truth[rng.random(truth.shape) < 0.1] = 255
    whole = measured(truth, predicted, 5)
    kept = truth != 255
    expected = confusion_matrix(truth[kept], predicted[kept])
    np.testing.assert_array_equal(whole.confusion, expected)
    iou = jaccard_score(truth[kept], predicted[kept], average="macro")
    assert whole.compute()["mIoU"] == pytest.approx(iou)
    parts = measured(truth[:3], predicted[:3], 5).merge(measured(truth[3:], predicted[3:], 5))
    assert Segmentation.empty().merge(parts).compute() == pytest.approx(whole.compute())
    assert parts.images == 7


def test_rows_of_padding_do_not_count():
    truth = np.zeros((2, 3, 3), int)
    found = measured(truth, np.stack([truth[0], truth[0] + 1]), 2, np.array([True, False]))
    assert found.compute()["pixel_accuracy"] == 1


def test_only_void_is_undefined_and_no_error():
    values = measured(np.full((1, 3, 3), 255), np.zeros((1, 3, 3), int), 2).compute()
    assert all(np.isnan(value) for value in values.values())


def test_wrong_input_is_an_error():
    with pytest.raises(
        ValueError, match=r"labels must be in \[0, 2\), or 255 for void, got 0 to 7"
    ):
        measured(np.array([[[0, 7]]]), np.zeros((1, 1, 2), int), 2)
    with pytest.raises(ValueError, match="label maps' size"):
        measured(np.zeros((1, 2, 2), int), np.zeros((1, 2, 3), int), 2)
    with pytest.raises(ValueError, match="it has no label_map"):
        Segmentation.from_model_output(
            predicted=np.zeros((1, 2, 2)), batch={"mask": np.ones(1, bool)}, class_names=["a", "b"]
        )
    one, other = (measured(np.zeros((1, 1, 1), int), np.zeros((1, 1, 1), int), k) for k in (2, 3))
    with pytest.raises(ValueError, match="class_names must be the same"):
        one.merge(other)
    with pytest.raises(ValueError, match="got none"):
        Segmentation.empty().compute()
