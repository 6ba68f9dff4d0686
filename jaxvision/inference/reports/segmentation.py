"""The report of a segmentation network's evaluation."""

from typing import Any, cast

import numpy as np

from jaxvision.inference.reports.layout import (
    EvaluationReport,
    Picture,
    Section,
    Table,
    class_rows,
    metrics_table,
    number,
)
from jaxvision.metrics.segmentation import Segmentation
from jaxvision.plots.confusion import confusion_matrix
from jaxvision.plots.segmentation import class_lines, classes_of, segmentation_sheet
from jaxvision.train.evaluate import Evaluation

# Images of the first batch that are shown.
_SHOWN = 8


def report_segmentation(evaluation: Evaluation, data: Any) -> EvaluationReport:
    """Lays out metrics, classes, confusions and the first images.

    Args:
        evaluation: Of a segmentation network.
        data: The stream it was measured on, which names the images.
    """
    metric = cast(Segmentation, evaluation.metric)
    metrics, names = evaluation.metrics, metric.class_names
    columns = ("IoU", "accuracy", "dice")
    rows = list(class_rows(metrics, names, columns)) if f"IoU/{names[0]}" in metrics else []
    lines = "; ".join(line.strip() for line in class_lines(metric)[1:])
    chart = confusion_matrix(metric.confusion, names, unit="share of the true class's pixels")
    sections = [
        Section("Metrics", "Void is left out.", [metrics_table(metrics)]),
        Section("Classes", "", [Table(("class", *columns), rows)] if rows else []),
        Section("Confusions", lines, [chart]),
    ]
    batch, predicted = evaluation.batch, classes_of(evaluation.predictions)
    shown = np.flatnonzero(np.asarray(batch["mask"]))[:_SHOWN]
    if shown.size and predicted.shape == batch["label_map"].shape:
        captions = [data.name(int(batch["index"][i])).rpartition("/")[2] for i in shown]
        sheet = segmentation_sheet(
            batch["image"][shown], batch["label_map"][shown], predicted[shown], names, captions
        )
        picture = Picture(sheet, f"The first {len(shown)} images, predicted and true classes")
        sections.append(Section("Pictures", "", [picture]))
    values: dict[str, Any] = {
        "metrics": metrics,
        "confusion": {"names": list(names), "counts": metric.confusion.tolist()},
    }
    headline = f"mIoU {number(metrics['mIoU'])} on {metric.images:,} images"
    return EvaluationReport(headline, values, sections)
