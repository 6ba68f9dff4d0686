"""The report of a generative model's evaluation."""

import numpy as np

from jaxvision.inference.reports.layout import (
    EvaluationReport,
    Picture,
    Section,
    metrics_table,
    number,
)
from jaxvision.plots.samples import sample_grid
from jaxvision.train.evaluate import Evaluation


def report_generation(evaluation: Evaluation, images: np.ndarray) -> EvaluationReport:
    """Lays out metrics and images.

    Args:
        evaluation: Of a generative model.
        images: What it makes [N, H, W, C] uint8.
    """
    metrics = evaluation.metrics
    picture = Picture(sample_grid(images), f"{len(images)} images that the model makes")
    sections = [
        Section("Metrics", "", [metrics_table(metrics)]),
        Section("Images", "Drawn with seed 0, of all classes in turn.", [picture]),
    ]
    headline = ", ".join(f"{name} {number(value)}" for name, value in metrics.items())
    return EvaluationReport(headline, {"metrics": metrics}, sections)
