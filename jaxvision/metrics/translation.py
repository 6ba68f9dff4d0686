"""BLEU (Papineni et al. 2002, https://aclanthology.org/P02-1040), perplexity and token accuracy.

BLEU is computed by sacrebleu (Post 2018, https://arxiv.org/abs/1804.08771): on cased, detokenised
text, which its tokenizer `13a` splits into words.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.struct
import numpy as np
from clu import metrics

from jaxvision.data.extras import library
from jaxvision.metrics.records import leaves


class TranslationRecord(NamedTuple):
    """The values of one sentence."""

    index: int
    hypothesis: str
    reference: str
    negative_log_likelihood: float
    correct: int
    tokens: int


@flax.struct.dataclass(eq=False)
class TranslationQuality(metrics.Metric):
    """Compares translations with one reference each, on the host.

    Attributes:
        records: A tree of tuples with `TranslationRecord` leaves, so that merging does not copy.
    """

    records: tuple[Any, ...] = flax.struct.field(pytree_node=False, repr=False)

    @classmethod
    def empty(cls) -> "TranslationQuality":
        """Returns the metric of no sentences; merging it changes nothing."""
        return cls(records=())

    @classmethod
    def from_model_output(
        cls,
        *,
        index: Sequence[int],
        hypotheses: Sequence[str],
        references: Sequence[str],
        negative_log_likelihood: np.ndarray,
        correct: np.ndarray,
        tokens: np.ndarray,
    ) -> "TranslationQuality":
        """Builds the metric of N sentences.

        Args:
            index: Number of each sentence in the data.
            hypotheses: N translations.
            references: N reference translations.
            negative_log_likelihood: Sum over the tokens of each reference, in nats [N].
            correct: Number of tokens of each reference that were predicted, with teacher forcing
                [N].
            tokens: Number of tokens of each reference [N].
        """
        columns = (index, hypotheses, references, negative_log_likelihood, correct, tokens)
        rows = zip(*columns, strict=True)
        return cls(
            records=tuple(
                TranslationRecord(int(i), hypothesis, reference, float(n), int(c), int(t))
                for i, hypothesis, reference, n, c, t in rows
            )
        )

    def merge(self, other: "TranslationQuality") -> "TranslationQuality":
        """Joins the sentences of both."""
        return TranslationQuality(records=(self.records, other.records))

    def sentences(self) -> list[TranslationRecord]:
        """Returns all sentences, sorted by index.

        Raises:
            ValueError: If there is no sentence, or one was given twice.
        """
        records = sorted(leaves(self.records, TranslationRecord), key=lambda record: record.index)
        if not records:
            raise ValueError("expected at least one sentence, got none")
        for one, following in zip(records, records[1:], strict=False):
            if one.index == following.index:
                raise ValueError(f"every sentence must be evaluated once, got {one.index} twice")
        return records

    def compute(self) -> dict[str, float]:
        """Evaluates all sentences together.

        Returns:
            `bleu` in [0, 100], `perplexity` and `token_accuracy` over the tokens of the references.

        Raises:
            ValueError: If there is no sentence, or one was given twice.
        """
        records = self.sentences()
        tokens = sum(record.tokens for record in records)
        mean = sum(record.negative_log_likelihood for record in records) / tokens
        return {
            "bleu": corpus_bleu([r.hypothesis for r in records], [r.reference for r in records]),
            # That of an untrained model overflows a float.
            "perplexity": math.exp(min(mean, 700.0)),
            "token_accuracy": sum(record.correct for record in records) / tokens,
        }


def corpus_bleu(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Returns the BLEU of N translations, one reference each, in [0, 100]."""
    return _bleu().corpus_score(hypotheses, [references]).score


def bleu_signature() -> str:
    """Returns how BLEU is computed, to be quoted with the score."""
    metric = _bleu()
    metric.corpus_score(["a"], [["a"]])
    return str(metric.get_signature())


def _bleu() -> Any:
    bleu = library("sacrebleu.metrics.bleu", "text").BLEU
    return bleu(tokenize="13a", lowercase=False, smooth_method="exp")
