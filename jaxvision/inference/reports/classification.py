"""The report of a classifier's evaluation."""

from typing import Any, cast

import numpy as np

from jaxvision.inference.reports.layout import (
    EvaluationReport,
    Picture,
    Pictures,
    Section,
    Table,
    class_rows,
    metrics_table,
    number,
)
from jaxvision.metrics.classification import Classification
from jaxvision.metrics.multi_label import THRESHOLD, MultiLabel
from jaxvision.plots.classification import classification_figures, confusion_lines
from jaxvision.plots.clip import side_by_side
from jaxvision.train.evaluate import Evaluation

# Images that are shown, and their classes.
_WORST, _TOP = 8, 5


def report_classification(
    evaluation: Evaluation, data: Any, *, what: str = "images"
) -> EvaluationReport:
    """Lays out metrics, confusions, curves, calibration and the most confident mistakes.

    Args:
        evaluation: Of a classifier.
        data: The stream it was measured on, whose worst images are read again.
        what: What has classes: `images`, or `texts`, which are shown by their names.
    """
    metric = cast(Classification | MultiLabel, evaluation.metric)
    metrics = evaluation.metrics
    single = isinstance(metric, Classification)
    names = metric.class_names
    index, probabilities, truth = metric.joined()
    worst = _mistakes(probabilities, truth)
    columns = ("precision", "recall", "f1", "auc")
    rows = list(class_rows(metrics, names, columns)) if f"f1/{names[0]}" in metrics else []
    figures = classification_figures(metric)
    sections = [
        Section("Metrics", "", [metrics_table(metrics)]),
        Section("Classes", "", [Table(("class", *columns), rows)] if rows else []),
        Section("Curves", "", [figures["roc"], figures["precision_recall"]]),
        Section("Calibration", "", [figures["reliability"]]),
        Section(
            "Most confident mistakes",
            f"{what.capitalize()} whose wrong class is the most probable, beside the most probable "
            "classes."
            if single
            else f"{what.capitalize()} with the class that is decided most wrongly.",
            [_picture(data, int(index[i]), probabilities[i], truth[i], names) for i in worst],
        ),
    ]
    values: dict[str, Any] = {"metrics": metrics}
    if single:
        counts = metric.confusion()
        lines = "; ".join(line.strip() for line in confusion_lines(counts, names)[1:])
        sections.insert(2, Section("Confusions", lines, [figures["confusion"]]))
        values["confusion"] = {"names": list(names), "counts": counts.tolist()}
    values["worst"] = [{what.removesuffix("s"): data.name(int(index[i]))} for i in worst]
    main = "accuracy" if single else "mAP"
    headline = f"{main} {number(metrics[main])} on {len(index):,} {what}"
    return EvaluationReport(headline, values, sections)


def _mistakes(probabilities: np.ndarray, truth: np.ndarray) -> list[int]:
    """Returns the rows that are most confidently wrong, the worst first."""
    if truth.ndim == 1:
        wrong = probabilities.argmax(axis=1) != truth
        badness = np.where(wrong, probabilities.max(axis=1), 0.0)
    else:
        distance = np.abs(probabilities - (truth > 0.5))
        badness = np.where(distance.max(axis=1) >= THRESHOLD, distance.max(axis=1), 0.0)
    order = np.argsort(-badness, kind="stable")[:_WORST]
    return [int(i) for i in order if badness[i] > 0]


def _picture(
    data: Any, index: int, probabilities: np.ndarray, truth: np.ndarray, names: tuple[str, ...]
) -> Pictures:
    order = np.argsort(-probabilities, kind="stable")[:_TOP]
    shares = [float(probabilities[k]) for k in order]
    rows = [(names[k], f"{value:.1%}") for k, value in zip(order, shares, strict=True)]
    true = (
        [names[int(truth)]] if truth.ndim == 0 else [names[k] for k in np.flatnonzero(truth > 0.5)]
    )
    named = f"true class {', '.join(true) or 'none'}"
    table = Table(("class", "probability"), rows, shares)
    example = data.example(index)
    if "image" not in example:
        return Pictures(f"{data.name(index)} ({named})", [table])
    return Pictures(data.name(index), [Picture(side_by_side(example["image"]), named), table])
