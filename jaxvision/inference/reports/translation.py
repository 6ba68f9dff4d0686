"""The report of a translator's evaluation."""

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from jaxvision.data.text.tokenizer import SubwordTokenizer
from jaxvision.inference.reports.layout import (
    EvaluationReport,
    Section,
    Table,
    Texts,
    metrics_table,
    number,
)
from jaxvision.metrics.translation import (
    TranslationQuality,
    TranslationRecord,
    bleu_signature,
    corpus_bleu,
)
from jaxvision.plots.translations import attention_figures
from jaxvision.train.evaluate import Evaluation

# Sentences that are listed.
_LISTED = 10
# Words of a reference: bounds between the groups of lengths.
_LENGTHS = (0, 5, 10, 15, 20, 30, 50, math.inf)


def report_translation(
    evaluation: Evaluation, data: Any, tokenizer: SubwordTokenizer
) -> EvaluationReport:
    """Lays out BLEU, also by length, and the sentences whose references are least likely.

    Args:
        evaluation: Of a translator.
        data: The stream it was measured on, which names the sentences.
        tokenizer: Names the tokens of the attention.
    """
    records = cast(TranslationQuality, evaluation.metric).sentences()
    metrics = evaluation.metrics
    signature = bleu_signature()
    lengths = _by_length(records)
    ranked = sorted(records, key=lambda r: -r.negative_log_likelihood / r.tokens)
    attention = attention_figures(evaluation.predictions, evaluation.batch, tokenizer)
    largest = max((row["sentences"] for row in lengths), default=1)
    sections = [
        Section("Metrics", f"BLEU: {signature}", [metrics_table(metrics)]),
        Section(
            "By length",
            "Words of the reference.",
            [
                Table(
                    ("words", "BLEU", "sentences"),
                    [(r["words"], number(r["bleu"], 1), f"{r['sentences']:,}") for r in lengths],
                    [row["sentences"] / largest for row in lengths],
                )
            ],
        ),
        Section(
            "Least likely references",
            "Sentences whose reference the model finds least likely, a token on average.",
            [_sentences(ranked[:_LISTED], data)],
        ),
        Section("Most likely references", "", [_sentences(ranked[: -_LISTED - 1 : -1], data)]),
        Section("Attention", "Where the decoder looked in the first sentences.", attention),
    ]
    values = {
        "metrics": metrics,
        "bleu_signature": signature,
        "lengths": lengths,
        "worst": [_values(record, data) for record in ranked[:_LISTED]],
    }
    headline = f"BLEU {metrics['bleu']:.2f} on {len(records):,} sentences"
    return EvaluationReport(headline, values, sections)


def _by_length(records: Sequence[TranslationRecord]) -> list[dict[str, Any]]:
    words = np.array([len(record.reference.split()) for record in records])
    found = []
    for low, high in zip(_LENGTHS, _LENGTHS[1:], strict=False):
        rows = np.flatnonzero((words > low) & (words <= high))
        if not len(rows):
            continue
        of_length = [records[i] for i in rows.tolist()]
        bleu = corpus_bleu([r.hypothesis for r in of_length], [r.reference for r in of_length])
        label = f"{low + 1} to {high}" if math.isfinite(high) else f"{low + 1} or more"
        found.append({"words": label, "bleu": bleu, "sentences": len(rows)})
    return found


def _values(record: TranslationRecord, data: Any) -> dict[str, Any]:
    return {
        "source": data.name(record.index),
        "reference": record.reference,
        "translation": record.hypothesis,
        "perplexity": math.exp(min(record.negative_log_likelihood / record.tokens, 700.0)),
    }


def _sentences(records: Sequence[TranslationRecord], data: Any) -> Texts:
    groups = []
    for record in records:
        values = _values(record, data)
        perplexity = f"{values['perplexity']:.1f}"
        groups.append(
            [
                (f"perplexity {perplexity},", values["source"]),
                ("reference", record.reference),
                ("translation", record.hypothesis),
            ]
        )
    return Texts(groups)
