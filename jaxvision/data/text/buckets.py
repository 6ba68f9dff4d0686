"""Batches of sentence pairs of a few shapes, one pair a row, so that little is padding."""

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.plans.plan import NOTHING, Rows
from jaxvision.data.text.limit import Limited
from jaxvision.data.text.shapes import Shape, assign, choose_shapes


class PairPlan:
    """Shows each pair once in an epoch, in batches of a few shapes.

    Attributes:
        masked: False.
        limited: The pairs, those that are too long dropped or cut.
        shapes: Lengths of source and target, smallest first.
        batch_sizes: B of each of them.
        padding: Share of an epoch's tokens that are padding.
        pairs_per_row: Of the row with the most pairs, P.
    """

    masked = False
    limited: Limited
    shapes: list[Shape]
    batch_sizes: list[int]
    padding: float
    pairs_per_row: int = 1

    def describe(self) -> str:
        """Returns the shapes, the share of padding and the number of long sentences in one line."""
        shapes = ", ".join(
            f"{size} x {shape.source}+{shape.target}"
            for size, shape in zip(self.batch_sizes, self.shapes, strict=True)
        )
        packed = f", up to {self.pairs_per_row} pairs in a row" if self.pairs_per_row > 1 else ""
        done = "cut" if self.limited.cut else "dropped"
        return (
            f"batches of {shapes} tokens{packed}; {self.padding:.1%} of an epoch's tokens are "
            f"padding; {self.limited.too_long} pairs {done}, too long"
        )


class Buckets(PairPlan):
    """Batches of one pair a row, of a few shapes.

    Pairs that do not fill a batch of their own shape go into batches of a larger one; what is left
    at the end fills a part of one batch, whose other rows are padding.
    """

    def __init__(self, limited: Limited, *, batch_tokens: int, buckets: int, multiple: int) -> None:
        """Chooses the shapes.

        Args:
            limited: The pairs.
            batch_tokens: Upper limit of B times the longer of S and T of a batch.
            buckets: Upper limit of the number of shapes.
            multiple: B is a multiple of it.

        Raises:
            DataError: If a pair does not fit into a batch.
            ValueError: If `buckets` is below 1.
        """
        lengths = limited.lengths
        longest = int(lengths.max())
        if longest * multiple > batch_tokens:
            raise DataError(
                f"batch_tokens must be at least {longest * multiple}, {multiple} sentences of "
                f"{longest} tokens, got {batch_tokens}; raise it or lower max_length"
            )
        self.limited = limited
        self.shapes = choose_shapes(lengths, buckets)
        self.batch_sizes = [batch_tokens // max(s) // multiple * multiple for s in self.shapes]
        assigned = assign(lengths, self.shapes)
        self._members = [limited.kept[assigned == k] for k in range(len(self.shapes))]
        # The number of batches of each shape is the same in all epochs, their members are not.
        batches = self(0, np.random.default_rng(0))
        self._length = len(batches)
        held = sum(len(batch.index) * sum(batch.shape or ()) for batch in batches)
        self.padding = 1.0 - float(lengths.sum()) / held

    def __len__(self) -> int:
        return self._length

    def __call__(self, epoch: int, rng: np.random.Generator) -> list[Rows]:
        """Returns the pairs of each batch [B], -1 in rows of padding, and its shape."""
        batches = []
        carried: list[list[np.ndarray]] = [[] for _ in self.shapes]
        for k, (shape, size) in enumerate(zip(self.shapes, self.batch_sizes, strict=True)):
            members = np.concatenate([*carried[k], rng.permutation(self._members[k])]).astype(int)
            full = len(members) // size * size
            batches += [Rows(part, shape) for part in members[:full].reshape(-1, size)]
            rest = members[full:]
            later = range(k + 1, len(self.shapes))
            larger = (j for j in later if np.greater_equal(self.shapes[j], shape).all())
            parent = next(larger, None)
            if parent is not None:
                carried[parent].append(rest)
            elif len(rest):
                index = np.full(size, NOTHING)
                index[: len(rest)] = rest
                batches.append(Rows(index, shape))
        return [batches[i] for i in rng.permutation(len(batches))]
