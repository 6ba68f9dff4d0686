"""From the numbers of sentence pairs to a batch of tokens."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from jaxvision.data.plans.plan import NOTHING, Rows
from jaxvision.data.text.padding import Tokens, pad
from jaxvision.data.text.tokenizer import PAD


@dataclasses.dataclass(frozen=True)
class PadPairs:
    """Makes batches of one pair a row.

    Attributes:
        source: Tokens of each sentence [S].
        target: Tokens of its translation [T].
    """

    source: Tokens
    target: Tokens

    def __call__(self, examples: Sequence[int], rows: Rows) -> dict[str, np.ndarray]:
        """Returns source [B, S], target [B, T] and index [B] of a `TranslationBatch`."""
        batch = {"index": rows.index.astype(np.int32)}
        for name, sentences, length in zip(
            ("source", "target"), (self.source, self.target), rows.shape or (), strict=True
        ):
            # Rows of no pair are at the end.
            known = [sentences[i] for i in examples if i != NOTHING]
            batch[name] = pad(known, (len(examples), length))
        return batch


@dataclasses.dataclass(frozen=True)
class PackPairs:
    """Makes batches whose rows are shared by several pairs, one after another.

    Attributes:
        source: Tokens of each sentence [S].
        target: Tokens of its translation [T].
    """

    source: Tokens
    target: Tokens

    def __call__(self, examples: Sequence[Sequence[int]], rows: Rows) -> dict[str, np.ndarray]:
        """Returns the keys of a packed `TranslationBatch`."""
        batch = {"index": rows.index.astype(np.int32)}
        for name, sentences, length in zip(
            ("source", "target"), (self.source, self.target), rows.shape or (), strict=True
        ):
            tokens = np.full((len(examples), length), PAD, np.int32)
            segments = np.zeros_like(tokens)
            for b, pairs in enumerate(examples):
                end = 0
                known = [pair for pair in pairs if pair != NOTHING]
                for number, pair in enumerate(known, 1):
                    start, end = end, end + len(sentences[pair])
                    tokens[b, start:end] = sentences[pair]
                    segments[b, start:end] = number
            batch |= {name: tokens, f"{name}_segments": segments}
        return batch
