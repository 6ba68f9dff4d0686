import numpy as np
import pytest

from jaxvision.inference.draw import PALETTE
from jaxvision.inference.plots import (
    MARGIN,
    SIZE,
    classification_figures,
    confusion_matrix,
    curves,
    reliability,
)
from jaxvision.metrics.classification import Classification
from jaxvision.metrics.curves import Curve, calibration
from jaxvision.metrics.multi_label import MultiLabel


def measured(kind, classes, images=60):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, classes - 1, images).astype(np.int32)  # the last class has no image
    logits = rng.normal(size=(images, classes)) + 2 * np.eye(classes)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    batch = {
        "label": truth,
        "targets": np.eye(classes, dtype=np.float32)[truth],
        "index": np.arange(images),
        "mask": np.ones(images, bool),
    }
    names = [f"class {k}" for k in range(classes)]
    return kind.from_model_output(probabilities=probabilities, batch=batch, class_names=names)


@pytest.mark.parametrize("classes", [2, 8, 30])
def test_figures_of_an_evaluation(classes):
    figures = classification_figures(measured(Classification, classes))
    assert set(figures) == {"confusion", "roc", "precision_recall", "reliability"}
    for image in figures.values():
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert image.max() > 200  # not the ground alone
        assert (image == image[0, 0]).mean() > 0.1  # and some of it


def test_several_labels_have_no_confusions():
    assert "confusion" not in classification_figures(measured(MultiLabel, 5))


def test_evaluation_without_two_classes_is_drawn_too():
    batch = {"label": np.zeros(3, np.int32), "index": np.arange(3), "mask": np.ones(3, bool)}
    metric = Classification.from_model_output(
        probabilities=np.full((3, 2), 0.5, np.float32), batch=batch, class_names=("a", "b")
    )
    assert set(classification_figures(metric)) >= {"roc", "confusion"}


def test_cells_show_the_share_of_their_true_class():
    image = confusion_matrix(np.array([[9, 0], [5, 5]]), ("a", "b")).astype(int)

    def shade(row, column):
        x = image.shape[1] - 24 - 2 * 48 + column * 48 + 4
        return image[44 + row * 48 + 4, x]

    np.testing.assert_array_equal(shade(0, 0), PALETTE[1])
    np.testing.assert_array_equal(shade(1, 0), shade(1, 1))
    assert shade(0, 1)[2] < shade(1, 0)[2] < PALETTE[1][2]


def test_curve_goes_through_its_points():
    line = Curve(np.array([0.0, 0.5, 0.5, 1.0]), np.array([0.0, 0.0, 1.0, 1.0]))
    image = curves([line], [0.5], ["a"], title="t", axes=("x", "y"))
    for x, y in ((0.25, 0.0), (0.5, 0.5), (0.75, 1.0)):
        pixel = image[MARGIN + round((1 - y) * SIZE), MARGIN + round(x * SIZE)]
        # Antialiased: nearly its colour.
        np.testing.assert_allclose(pixel, PALETTE[0], atol=24)


def test_bars_show_accuracy_and_gap():
    image = reliability(calibration(np.full(10, 0.9), np.array([1] * 5 + [0] * 5)))
    column = MARGIN + round((13 + 0.25) / 15 * SIZE)  # 0.9 is in bin 14 of 15

    def at(y):
        return tuple(image[MARGIN + round((1 - y) * SIZE), column].tolist())

    assert at(0.25) == PALETTE[1]
    assert at(0.6) == PALETTE[0]
    assert at(0.95) not in (PALETTE[0], PALETTE[1])
