"""Sentences of different lengths as arrays, and pairs of them as batches."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from jaxvision.data.plans.plan import NOTHING, Rows
from jaxvision.data.text.tokenizer import PAD

Tokens = Sequence[np.ndarray]


def token_lengths(source: Tokens, target: Tokens) -> np.ndarray:
    """Counts the tokens of each pair [N, 2]."""
    lengths = [[len(s), len(t)] for s, t in zip(source, target, strict=True)]
    return np.array(lengths, int).reshape(-1, 2)


def pad(sentences: Sequence[Sequence[int] | np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Returns an array of a shape [B, T] with a sentence a row, padded on the right and below."""
    padded = np.full(shape, PAD, np.int32)
    for row, sentence in zip(padded, sentences, strict=False):
        row[: len(sentence)] = sentence
    return padded


@dataclasses.dataclass(frozen=True)
class CollatePairs:
    """Makes batches of one pair a row or, packed, of several, one after another.

    Attributes:
        source: Tokens of each sentence [S].
        target: Tokens of its translation [T].
    """

    source: Tokens
    target: Tokens

    def __call__(
        self, examples: Sequence[int | Sequence[int]], rows: Rows
    ) -> dict[str, np.ndarray]:
        """Returns source, target and index of a `TranslationBatch`; packed, its segments too."""
        pairs = [[row] if isinstance(row, int) else row for row in examples]
        batch = {"index": rows.index.astype(np.int32)}
        for name, sentences, length in zip(
            ("source", "target"), (self.source, self.target), rows.shape or (), strict=True
        ):
            shape = len(examples), length
            known = [[sentences[i] for i in row if i != NOTHING] for row in pairs]
            batch[name] = pad([np.concatenate(row) if row else () for row in known], shape)
            if rows.index.ndim == 2:
                numbers = [np.repeat(np.arange(len(row)) + 1, list(map(len, row))) for row in known]
                batch[f"{name}_segments"] = pad(numbers, shape)
        return batch
