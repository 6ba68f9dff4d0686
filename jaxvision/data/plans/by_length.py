"""The plan of training on sequences of different lengths: those of a batch are about as long."""

from collections.abc import Sequence

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.plans.plan import Rows
from jaxvision.ops import ranges


class ByLength:
    """Batches of B examples of one of a few lengths, every epoch in a new order.

    Examples that do not fill a batch of their length go into batches of the next one; the last of
    an epoch, fewer than B of the longest ones, are dropped.

    Attributes:
        masked: False.
    """

    masked = False

    def __init__(
        self, groups: Sequence[np.ndarray], lengths: Sequence[int], batch_size: int
    ) -> None:
        """Describes the plan.

        Args:
            groups: Numbers of the examples of each length.
            lengths: What each group is padded to, rising.
            batch_size: Examples in a batch, B.

        Raises:
            DataError: If the dataset does not fill one batch.
            ValueError: If a number is out of its range.
        """
        ranges.check({"batch_size": batch_size}, "[1, inf)", "batch_size")
        count = sum(map(len, groups))
        if count < batch_size:
            raise DataError(
                f"the training split has {count} examples, fewer than one batch of {batch_size}; "
                f"set batch_size to at most {count} or add examples"
            )
        self._groups = [np.asarray(group, int) for group in groups]
        self._lengths = list(lengths)
        self._batch_size = batch_size
        self._batches = count // batch_size

    def __len__(self) -> int:
        return self._batches

    def __call__(self, epoch: int, rng: np.random.Generator) -> list[Rows]:
        """Returns the examples of each batch [B] and its length."""
        batches, rest, size = [], np.zeros(0, int), self._batch_size
        for group, length in zip(self._groups, self._lengths, strict=True):
            members = np.concatenate([rest, rng.permutation(group)])
            full = len(members) // size * size
            batches += [Rows(part, (length,)) for part in members[:full].reshape(-1, size)]
            rest = members[full:]
        return [batches[i] for i in rng.permutation(len(batches))]
