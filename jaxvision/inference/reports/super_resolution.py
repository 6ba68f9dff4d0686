"""The report of a super-resolution network's evaluation."""

from typing import Any, cast

import numpy as np

from jaxvision.inference.reports.layout import (
    EvaluationReport,
    Picture,
    Section,
    Table,
    number,
)
from jaxvision.metrics.super_resolution import SuperResolutionQuality
from jaxvision.plots.super_resolution import detail, quality_lines
from jaxvision.train.evaluate import Evaluation

# Pictures that are shown.
_SHOWN = 6
_COLUMNS = ("psnr_y", "bicubic_psnr_y", "gain_y", "ssim_y", "psnr_rgb")


def report_super_resolution(evaluation: Evaluation, data: Any, predictor: Any) -> EvaluationReport:
    """Lays out metrics, each picture, and details of the first pictures.

    Args:
        evaluation: Of a super-resolution network.
        data: The stream it was measured on, which names the pictures.
        predictor: Enlarges the pictures that are shown.
    """
    metric = cast(SuperResolutionQuality, evaluation.metric)
    rows, values = [], []
    for picture in metric.pictures:
        name = data.name(picture.index).rpartition("/")[2]
        rows.append((name, picture.set, *(f"{picture.values[key]:.3f}" for key in _COLUMNS)))
        values.append({"picture": name, "set": picture.set, **picture.values})
    note = "On Y as MATLAB has it, without a border of as many pixels as the scale; dB and SSIM."
    metrics = Table(
        ("metric", "value"), [(name, number(x)) for name, x in evaluation.metrics.items()]
    )
    sections = [
        Section("Metrics", note, [metrics]),
        Section("Pictures", "", [Table(("picture", "set", *_COLUMNS), rows)]),
    ]
    shown = []
    for picture in metric.pictures[:_SHOWN]:
        row = data.example(picture.index)
        low, truth = np.asarray(row["image"]), np.asarray(row["target"])
        restored = predictor.restored(row)
        caption = f"{picture.values['psnr_y']:.2f} dB"
        name = data.name(picture.index).rpartition("/")[2]
        shown.append(Picture(detail(low, restored, truth, caption), name))
    sections.append(Section("Details", "Where the edges are strongest.", shown))
    headline = "; ".join(quality_lines(evaluation.metrics))
    return EvaluationReport(headline, {"metrics": evaluation.metrics, "pictures": values}, sections)
