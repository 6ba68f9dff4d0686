"""The plan of most evaluations: every example once, the last batch padded."""

from collections.abc import Sequence

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.plans.plan import NOTHING
from jaxvision.ops import ranges


class InOrder:
    """Batches of B examples in the order of the dataset, padded and with a `mask`.

    Attributes:
        masked: True.
    """

    masked = True

    def __init__(
        self,
        length: int,
        batch_size: int,
        groups: Sequence[Sequence[int] | np.ndarray] | None = None,
    ) -> None:
        """Describes the plan.

        Args:
            length: Examples in the dataset.
            batch_size: Examples in a batch, B.
            groups: Numbers of the examples of each shape, where there are several; together they
                hold every example once. A batch never mixes two groups. By default one group.

        Raises:
            DataError: If the dataset is empty.
            ValueError: If a number is out of its range, or `groups` does not hold every example
                once.
        """
        ranges.check({"batch_size": batch_size}, "[1, 100_000]", "batch_size")  # it is filled up
        if length < 1:
            raise DataError("the evaluation split has no examples; expected at least one")
        groups = [np.arange(length)] if groups is None else [np.asarray(g, int) for g in groups]
        if not np.array_equal(np.sort(np.concatenate(groups)), np.arange(length)):
            raise ValueError(f"groups must hold each of the {length} indices once")
        batches = []
        for group in groups:
            padding = np.full(-len(group) % batch_size, NOTHING)
            batches.append(np.concatenate([group, padding]).reshape(-1, batch_size))
        self._batches = np.concatenate(batches)

    def __len__(self) -> int:
        return len(self._batches)

    def __call__(self, epoch: int, rng: np.random.Generator) -> np.ndarray:
        """Returns the example numbers [batches, B], -1 in rows that fill up a batch."""
        return self._batches
