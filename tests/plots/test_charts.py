import subprocess
import sys

import numpy as np
import pytest
from figures import texts, written_outside

from jaxvision.metrics.classification import Classification
from jaxvision.metrics.curves import Curve, calibration
from jaxvision.metrics.multi_label import MultiLabel
from jaxvision.plots.classification import (
    classification_figures,
    classification_report,
    confusion_lines,
)
from jaxvision.plots.confusion import confusion_matrix
from jaxvision.plots.curves import curves, reliability, thinned
from jaxvision.plots.probabilities import probability_chart
from jaxvision.plots.style import DARK, PALETTE, to_rgb, unit

NAMES = ["Grünfink", "a class of an extraordinarily long name", "$x_2$", "_private", "Löwe"]


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
    names = NAMES if classes == len(NAMES) else [f"class {k}" for k in range(classes)]
    return kind.from_model_output(probabilities=probabilities, batch=batch, class_names=names)


class Evaluation:
    predictions = batch = None

    def __init__(self, metric):
        self.metric = metric


@pytest.mark.parametrize("classes", [2, 5, 30, 70])
def test_no_text_of_an_evaluation_is_cut(classes):
    figures = classification_figures(measured(Classification, classes))
    assert set(figures) == {"confusion", "roc", "precision_recall", "reliability"}
    for name, figure in figures.items():
        assert written_outside(figure) == [], name


def test_report_has_pictures_and_the_frequent_confusions():
    lines, pictures = classification_report(Evaluation(measured(Classification, 5)))
    assert set(pictures) == {"confusion", "roc", "precision_recall", "reliability"}
    for image in pictures.values():
        assert image.dtype == np.uint8 and image.ndim == 3
        assert image.max() > 200
        assert tuple(image[0, 0]) == DARK
    assert lines[0] == "most frequent confusions:"
    assert 1 < len(lines) <= 6


def test_multi_label_has_no_confusions():
    lines, pictures = classification_report(Evaluation(measured(MultiLabel, 5)))
    assert set(pictures) == {"roc", "precision_recall", "reliability"}
    assert list(lines) == []


def test_confusions_are_listed_by_their_number():
    counts = np.array([[9, 3, 0], [7, 1, 0], [0, 0, 5]])
    assert confusion_lines(counts, ("a", "b", "c")) == [
        "most frequent confusions:",
        "  b taken for a: 7",
        "  a taken for b: 3",
    ]
    assert confusion_lines(np.eye(3, dtype=int), ("a", "b", "c")) == []


def test_evaluation_with_one_class_only_is_drawn_too():
    batch = {"label": np.zeros(3, np.int32), "index": np.arange(3), "mask": np.ones(3, bool)}
    metric = Classification.from_model_output(
        probabilities=np.full((3, 2), 0.5, np.float32), batch=batch, class_names=("a", "b")
    )
    figures = classification_figures(metric)
    assert "no class has images with and without it" in texts(figures["roc"])


def test_cells_show_counts_and_the_share_of_their_true_class():
    figure = confusion_matrix(np.array([[12_345, 0], [5, 5]]), ("a", "b"))
    (image,) = figure.axes[0].images
    np.testing.assert_allclose(image.get_array(), [[1, 0], [0.5, 0.5]])
    counts = {(t.get_position(), t.get_text()) for t in figure.axes[0].texts}
    assert counts == {((0, 0), "12.3k"), ((0, 1), "5"), ((1, 1), "5")}
    # Rows are true classes, from the top.
    assert figure.axes[0].get_ylabel() == "true class"
    assert figure.axes[0].yaxis_inverted()


def test_counts_must_fit_the_names():
    with pytest.raises(
        ValueError, match=r"counts must be \[2, 2\] for 2 class names, got \[3, 3\]"
    ):
        confusion_matrix(np.zeros((3, 3)), ("a", "b"))


@pytest.mark.parametrize(("classes", "counts", "names"), [(25, 25, 25), (60, 0, 60), (61, 0, 0)])
def test_many_classes_have_neither_counts_nor_names(classes, counts, names):
    class_names = [f"name {k}" for k in range(classes)]
    axes = confusion_matrix(np.eye(classes), class_names).axes[0]
    assert len(axes.texts) == counts
    shown = [t.get_text() for t in axes.get_yticklabels()]
    assert len(set(shown) & set(class_names)) == names


def test_names_are_written_as_they_are():
    figure = confusion_matrix(np.eye(5), NAMES)
    found = texts(figure)
    assert {"Grünfink", "a class of an extraordinari…", "$x_2$", "_private", "Löwe"} <= set(found)
    line = Curve(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    figure = curves([line] * 5, [0.5] * 5, NAMES, title="t", axes=("x", "y"))
    assert {"0.500  $x_2$", "0.500  _private"} <= set(texts(figure))


def test_curves_go_through_their_points_in_the_colours_of_the_legend():
    line = Curve(np.array([0.0, 0.5, 0.5, 1.0]), np.array([0.0, 0.0, 1.0, 1.0]))
    axes = curves([line, line], [0.5, 0.25], ["a", "b"], title="t", axes=("x", "y")).axes[0]
    for i, drawn in enumerate(axes.lines):
        np.testing.assert_array_equal(drawn.get_xydata(), np.stack(line, axis=1))
        assert drawn.get_color() == unit(PALETTE[i])
    labels = [t.get_text() for t in axes.get_legend().get_texts()]
    assert labels == ["0.500  a", "0.250  b"]


def test_of_many_curves_the_worst_and_the_mean_are_drawn():
    x = np.array([0.0, 1.0])
    lines = [Curve(x, np.array([k / 12, k / 12])) for k in range(12)]
    axes = curves(
        lines, [k / 12 for k in range(12)], [f"n{k}" for k in range(12)], title="t", axes=("x", "y")
    ).axes[0]
    mean, *worst = axes.lines
    np.testing.assert_allclose(mean.get_ydata(), 5.5 / 12)
    assert [line.get_ydata()[0] for line in worst] == [k / 12 for k in range(5)]


def test_thinned_curves_keep_their_ends():
    x = np.linspace(0, 1, 5000)
    found = thinned(Curve(x, x**2))
    assert len(found.x) == 2000
    assert (found.x[0], found.x[-1], found.y[-1]) == (0, 1, 1)
    short = Curve(x[:7], x[:7])
    assert thinned(short) is short


def test_bars_show_accuracy_gap_and_share():
    # 0.9 is in bin 14 of 15, half right; 0.3 in bin 5, all right.
    confidence = np.array([0.9] * 6 + [0.3] * 2)
    right = np.array([1, 1, 1, 0, 0, 0, 1, 1])
    upper, lower = reliability(calibration(confidence, right)).axes
    accuracy, gap = (list(c) for c in upper.containers)
    assert (accuracy[13].get_height(), accuracy[4].get_height()) == (0.5, 1.0)
    np.testing.assert_allclose([gap[13].get_y(), gap[13].get_height()], [0.5, 0.4])
    np.testing.assert_allclose([gap[4].get_y(), gap[4].get_height()], [1.0, -0.7])
    assert gap[13].get_facecolor()[:3] == unit(PALETTE[0])  # overconfident
    assert gap[4].get_facecolor()[:3] == unit(PALETTE[3])
    (share,) = lower.containers
    assert [bar.get_height() for bar in share if bar.get_height()] == [0.25, 0.75]


@pytest.mark.parametrize("shape", [(480, 640), (640, 100), (28, 28), (30, 300)])
@pytest.mark.parametrize("count", [1, 2, 12])
def test_probabilities_beside_an_image(shape, count):
    classes = [(name * 9, 1.0 / (k + 1) ** 9) for k, name in enumerate("abcdefghijkl"[:count])]
    figure = probability_chart(np.zeros((*shape, 3), np.uint8), classes)
    assert written_outside(figure) == []
    found = texts(figure)
    assert {"a" * 9, "100.0%"} <= set(found)
    assert ("< 0.1%" in found) == (count > 2)
    image, bars = figure.axes
    assert [bar.get_width() for bar in bars.patches] == [value for _, value in classes]
    # The image keeps its aspect ratio and does not cover the names.
    left, right = (image.transData.transform((x, 0))[0] for x in (0, shape[1]))
    bottom, top = (image.transData.transform((0, y))[1] for y in (shape[0], 0))
    assert (right - left) / (top - bottom) == pytest.approx(shape[1] / shape[0], rel=0.02)
    assert right < min(found[name].x0 for name, _ in classes)


def test_charts_use_neither_pyplot_nor_a_display():
    code = (
        "import sys, numpy as np; from jaxvision.plots.confusion import confusion_matrix;"
        "from jaxvision.plots.style import to_rgb; to_rgb(confusion_matrix(np.eye(2), 'ab'));"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_scripts_that_the_font_lacks_are_no_warning():
    to_rgb(confusion_matrix(np.eye(2), ("猫", "犬")))
