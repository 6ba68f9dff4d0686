"""From the numbers of sentence pairs to a batch of tokens."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from jaxvision.data.plans.plan import NOTHING, Rows
from jaxvision.data.text.padding import Tokens, pad


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
