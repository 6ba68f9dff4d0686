"""The plan of language models: a long text in lanes that are read side by side."""

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.ops import ranges


class Lanes:
    """B lanes of a text, each in windows of T tokens; a row continues that of the batch before.

    Example numbers are where windows start in the text. What is left behind the last whole window
    of a lane is not read in that epoch.

    Attributes:
        masked: False.
        window: T.
        length: Tokens of a lane.
    """

    masked = False

    def __init__(self, tokens: int, *, batch_size: int, window: int, shifted: bool = False) -> None:
        """Describes the plan.

        Args:
            tokens: Length of the text.
            batch_size: B.
            window: T.
            shifted: Whether windows start up to T - 1 tokens later, drawn anew in each epoch, so
                that other tokens are at their borders.

        Raises:
            DataError: If the text is shorter than a batch.
            ValueError: If a number is out of its range.
        """
        numbers = dict(batch_size=batch_size, window=window)
        ranges.check(numbers, "[1, 1_000_000]", *numbers)
        self.window, self.shifted = window, shifted
        self.length = tokens // batch_size
        self._starts = np.arange(batch_size) * self.length
        self._batches = (self.length - (window - 1 if shifted else 0)) // window
        if self._batches < 1:
            raise DataError(
                f"the text has {tokens:,} tokens, fewer than {batch_size} lanes of {window} need; "
                "lower batch_size or window, or take a longer text"
            )

    def __len__(self) -> int:
        return self._batches

    def __call__(self, epoch: int, rng: np.random.Generator) -> np.ndarray:
        """Returns where the windows start [batches, B]."""
        shift = int(rng.integers(self.window)) if self.shifted else 0
        windows = self.window * np.arange(self._batches) + shift
        return windows[:, None] + self._starts[None]
