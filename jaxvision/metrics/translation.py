"""BLEU (Papineni et al. 2002, https://aclanthology.org/P02-1040), perplexity and token accuracy.

BLEU is sacrebleu's (Post 2018, https://arxiv.org/abs/1804.08771): of cased text as it is read,
which it splits into words by its tokenizer `13a`.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.struct
import numpy as np
from clu import metrics


class TranslationRecord(NamedTuple):
    """What one sentence contributes."""

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
        records: A tree of tuples with `TranslationRecord` leaves, so that merging copies nothing.
    """

    records: tuple[Any, ...] = flax.struct.field(pytree_node=False, repr=False)

    @classmethod
    def empty(cls) -> "TranslationQuality":
        """The metric of no sentences: merging it changes nothing."""
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
        """Takes N sentences.

        Args:
            index: Which sentence of the data each one is, N numbers.
            hypotheses: Translations, N texts.
            references: What they are compared with, N texts.
            negative_log_likelihood: Sums over each reference's tokens, in nats [N].
            correct: Tokens of it that were the likeliest after those before [N].
            tokens: Tokens of it [N].
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

    def compute(self) -> dict[str, float]:
        """Evaluates all sentences together.

        Returns:
            `bleu` in [0, 100], `perplexity` and `token_accuracy` of the references' tokens.

        Raises:
            ValueError: If there is no sentence, or one has been given twice.
        """
        records = sorted(_leaves(self.records), key=lambda record: record.index)
        if not records:
            raise ValueError("expected at least one sentence, got none")
        for one, following in zip(records, records[1:], strict=False):
            if one.index == following.index:
                raise ValueError(f"every sentence must be evaluated once, got {one.index} twice")
        tokens = sum(record.tokens for record in records)
        mean = sum(record.negative_log_likelihood for record in records) / tokens
        return {
            "bleu": corpus_bleu([r.hypothesis for r in records], [r.reference for r in records]),
            # An untrained model's overflows a float.
            "perplexity": math.exp(min(mean, 700.0)),
            "token_accuracy": sum(record.correct for record in records) / tokens,
        }


def corpus_bleu(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Compares N translations with a reference each.

    Returns:
        BLEU of all together, in [0, 100].
    """
    return _bleu().corpus_score(hypotheses, [references]).score


def bleu_signature() -> str:
    """Tells how BLEU is computed, as it has to be quoted with it."""
    metric = _bleu()
    metric.corpus_score(["a"], [["a"]])
    return str(metric.get_signature())


def _bleu() -> Any:
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError as error:
        raise ImportError("text needs an extra: pip install 'jaxvision[text]'") from error
    return BLEU(tokenize="13a", lowercase=False, smooth_method="exp")


def _leaves(tree: tuple[Any, ...]) -> list[TranslationRecord]:
    # Not recursive: merging batch after batch makes the tree as deep as there are batches.
    leaves, stack = [], [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, TranslationRecord):
            leaves.append(node)
        else:
            stack.extend(node)
    return leaves
