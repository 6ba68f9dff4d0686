"""What an evaluation of a classifier shows: its frequent confusions, and charts."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from jaxvision.metrics.classification import Classification
from jaxvision.metrics.curves import Ranked
from jaxvision.metrics.multi_label import MultiLabel
from jaxvision.plots.confusion import confusion_matrix
from jaxvision.plots.curves import curves, reliability, thinned
from jaxvision.plots.report import Evaluated, Report
from jaxvision.plots.style import to_rgb

# Confusions that are listed.
_LISTED = 5


def classification_report(evaluation: Evaluated) -> Report:
    """Lists the most frequent confusions, and draws all charts.

    Args:
        evaluation: Of a classifier, with one class an image or several.
    """
    metric = evaluation.metric
    lines = []
    if isinstance(metric, Classification):
        lines = confusion_lines(metric.confusion(), metric.class_names)
    figures = classification_figures(metric)
    return Report(lines, {name: to_rgb(figure) for name, figure in figures.items()})


def classification_figures(metric: Classification | MultiLabel) -> dict[str, Figure]:
    """Draws all charts of an evaluation.

    Args:
        metric: The measure of all images.

    Returns:
        Figures by name: `roc`, `precision_recall`, `reliability`, and `confusion` where each image
        has one class.
    """
    _, probabilities, truth = metric.joined()
    shown, roc, precision_recall, areas, averages = [], [], [], [], []
    for k, name in enumerate(metric.class_names):
        ranked = Ranked.of(
            truth == k if truth.ndim == 1 else truth[:, k] > 0.5, probabilities[:, k]
        )
        if not ranked.has_both:
            continue
        shown.append(name)
        # Thinned at once: of 1,000 classes and 50,000 images the whole curves are 1.6 GB.
        roc.append(thinned(ranked.roc()))
        precision_recall.append(thinned(ranked.precision_recall()))
        areas.append(ranked.auc())
        averages.append(ranked.average_precision())
    figures = {
        "roc": curves(
            roc,
            areas,
            shown,
            title="ROC, one class against the rest",
            axes=("false positive rate", "true positive rate"),
            chance=True,
        ),
        "precision_recall": curves(
            precision_recall,
            averages,
            shown,
            title="Precision by recall",
            axes=("recall", "precision"),
            area="average precision",
        ),
        "reliability": reliability(metric.calibration()),
    }
    if isinstance(metric, Classification):
        figures["confusion"] = confusion_matrix(metric.confusion(), metric.class_names)
    return figures


def confusion_lines(counts: np.ndarray, class_names: Sequence[str]) -> list[str]:
    """Lists the most frequent confusions, at most five.

    Args:
        counts: Images by true and predicted class [K, K].
        class_names: Name of each class.
    """
    wrong = counts * (1 - np.eye(len(counts), dtype=counts.dtype))
    order = np.argsort(-wrong, axis=None, kind="stable")[:_LISTED]
    lines = [
        f"  {class_names[row]} taken for {class_names[column]}: {wrong[row, column]}"
        for row, column in zip(*np.unravel_index(order, wrong.shape), strict=True)
        if wrong[row, column]
    ]
    return ["most frequent confusions:", *lines] if lines else []
