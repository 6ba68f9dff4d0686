"""The plan of most trainings: a new permutation of the dataset in every epoch."""

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.ops import ranges


class Shuffled:
    """Batches of B examples, every epoch in a new order.

    The last examples of an epoch that do not fill a batch are dropped.

    Attributes:
        masked: False.
    """

    masked = False

    def __init__(
        self, length: int, batch_size: int, weights: np.ndarray | None = None, repeats: int = 1
    ) -> None:
        """Describes the plan.

        Args:
            length: Examples in the dataset.
            batch_size: Examples in a batch, B.
            weights: How often each example is drawn, relative to the others [length]; all equally
                often by default. The length of an epoch does not depend on them.
            repeats: How often a batch shows each of its examples, augmented anew each time (Hoffer
                et al. 2019, https://arxiv.org/abs/1901.09335). The length of an epoch does not
                depend on it: an epoch shows one in `repeats` of the examples.

        Raises:
            DataError: If the dataset does not fill one batch.
            ValueError: If a number is out of its range.
        """
        numbers = {"batch_size": batch_size, "repeats": repeats}
        ranges.check(numbers, "[1, inf)", "batch_size")
        ranges.check(numbers, f"[1, {max(batch_size, 1)}]", "repeats")
        if length < batch_size:
            raise DataError(
                f"the training split has {length} examples, fewer than one batch of {batch_size}; "
                f"set batch_size to at most {length} or add examples"
            )
        self._length = length
        self._batch_size = batch_size
        self._repeats = repeats
        self._shares = None if weights is None else _shares(weights, length)

    def __len__(self) -> int:
        return self._length // self._batch_size

    def __call__(self, epoch: int, rng: np.random.Generator) -> np.ndarray:
        """Returns the example numbers of an epoch [batches, B]."""
        order = rng.permutation(self._length)
        if self._shares is not None:
            # The permutation deals out equal parts of [0, 1), so that an example appears in an
            # epoch as often as its share says, give or take less than one.
            places = (order + rng.random(self._length)) / self._length
            order = np.searchsorted(self._shares, places, side="right")
        distinct = -(-self._batch_size // self._repeats)
        order = order[: len(self) * distinct].reshape(len(self), distinct)
        # Copies of an example are far from each other: mixup mixes neighbours.
        return np.tile(order, self._repeats)[:, : self._batch_size]


def _shares(weights: np.ndarray, length: int) -> np.ndarray:
    """Returns where each example's part of [0, 1) ends [length]."""
    weights = np.asarray(weights, np.float64)
    if weights.shape != (length,):
        raise ValueError(f"weights must be [{length}], one per example, got {weights.shape}")
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError("weights must be finite, not negative and not all zero")
    ends = np.cumsum(weights) / weights.sum()
    # Rounding must neither leave a gap below 1 that belongs to no example nor give it to an example
    # of weight 0 at the end.
    ends[np.flatnonzero(weights)[-1] :] = 1.0
    return ends
