"""The contract between a stream and what decides which examples are in which batch."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

# Stands in a plan where a row of a batch has no example.
NOTHING = -1


class Rows(NamedTuple):
    """The examples of one batch.

    Attributes:
        index: Numbers of the examples [B], or [B, P] where several share a row; -1 for none.
        shape: What `collate` pads the examples to, for plans whose batches have several shapes.
    """

    index: np.ndarray
    shape: tuple[int, ...] | None = None


# Batches of an epoch; an array [batches, B] is one of them.
Planned = Sequence[np.ndarray | Rows] | np.ndarray


class Plan(Protocol):
    """Decides which examples are in which batch: a function of the epoch and its randomness.

    Attributes:
        masked: Whether each example counts exactly once, as in evaluation: then batches carry
            `mask`, and an example that cannot be read is masked. Otherwise another example takes
            its place.
    """

    masked: bool

    def __len__(self) -> int:
        """Returns the number of batches of every epoch."""
        ...

    def __call__(self, epoch: int, rng: np.random.Generator) -> Planned:
        """Plans an epoch, numbered from 0, with the same generator whenever it is planned.

        Returns:
            The batches, `len(self)` of them: example numbers, or `Rows` where batches have several
            shapes.
        """
        ...
