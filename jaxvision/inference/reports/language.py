"""The report of a language model's evaluation."""

from collections.abc import Sequence

from jaxvision.inference.reports.layout import (
    EvaluationReport,
    Section,
    Texts,
    metrics_table,
    number,
)
from jaxvision.train.evaluate import Evaluation


def report_language(evaluation: Evaluation, texts: Sequence[str]) -> EvaluationReport:
    """Lays out metrics and texts.

    Args:
        evaluation: Of a language model.
        texts: What it writes.
    """
    metrics = evaluation.metrics
    note = "Perplexity is e to the mean negative log-likelihood of a token."
    groups = [[(str(i), text)] for i, text in enumerate(texts, 1)]
    sections = [
        Section("Metrics", note, [metrics_table(metrics)]),
        Section("Texts", "Drawn with seed 0, from the start of a line.", [Texts(groups)]),
    ]
    headline = ", ".join(f"{name} {number(value)}" for name, value in metrics.items())
    return EvaluationReport(headline, {"metrics": metrics}, sections)
