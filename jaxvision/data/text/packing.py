"""Packing: several sentence pairs share a row, so batches have one shape and little padding."""

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.plans.plan import NOTHING, Rows
from jaxvision.data.text.buckets import PairPlan
from jaxvision.data.text.limit import Limited
from jaxvision.data.text.shapes import Shape

# Pairs that may share rows.
_CHUNK = 4096
# Devices prefer lengths that are a multiple of it.
_ROUND = 8


def pack(lengths: np.ndarray, row: Shape) -> np.ndarray:
    """Puts each pair into the first row that has room for it in both languages.

    Pairs are shuffled with a fixed seed and packed in chunks, the longest pair of a chunk first;
    each chunk has its own rows, so that the time grows linearly with the number of pairs.

    Args:
        lengths: Tokens of source and target of each pair [N, 2].
        row: Tokens that a row holds, by language.

    Returns:
        The row of each pair [N], from 0.

    Raises:
        ValueError: If a row does not hold a pair.
    """
    if (lengths > row).any():
        raise ValueError(
            f"a row must hold every pair, {lengths.max(axis=0).tolist()} tokens, got {list(row)}"
        )
    # Shuffled, pairs that are longer in one language meet pairs that are longer in the other.
    order = np.random.default_rng(0).permutation(len(lengths))
    rows = np.empty(len(lengths), int)
    first = 0
    for start in range(0, len(order), _CHUNK):
        chunk = order[start : start + _CHUNK]
        chunk = chunk[np.argsort(-lengths[chunk].sum(axis=1), kind="stable")]
        room_source, room_target = (np.full(len(chunk), length) for length in row)
        for pair in chunk:
            source, target = lengths[pair]
            # There are as many rows as pairs, so one always has room.
            place = int(((room_source >= source) & (room_target >= target)).argmax())
            room_source[place] -= source
            room_target[place] -= target
            rows[pair] = first + place
        first = rows[chunk].max() + 1
    return rows


def row_shape(lengths: np.ndarray, longest: int) -> Shape:
    """Chooses the tokens of a row: `longest` in one language, in proportion in the other."""
    share = lengths.sum(axis=0) / lengths.sum(axis=0).max()
    proportional = np.ceil(longest * share / _ROUND).astype(int) * _ROUND
    held = np.maximum(np.minimum(proportional, longest), lengths.max(axis=0))
    return Shape(*held.tolist())


class PackedRows(PairPlan):
    """Batches of rows that several pairs share, all of one shape.

    Which lengths share a row is decided once; which pairs of these lengths share it, and which rows
    form a batch, changes with every epoch. So all epochs have the same number of batches.
    """

    def __init__(
        self, limited: Limited, *, batch_tokens: int, row_length: int, multiple: int
    ) -> None:
        """Packs the pairs.

        Args:
            limited: The pairs.
            batch_tokens: Upper limit of B times `row_length`.
            row_length: Tokens of a row in the language that has more of them.
            multiple: B is a multiple of it.

        Raises:
            DataError: If there is no room for `multiple` rows.
        """
        size = batch_tokens // row_length // multiple * multiple
        if not size:
            raise DataError(
                f"batch_tokens must be at least {row_length * multiple}, {multiple} rows of "
                f"{row_length} tokens, got {batch_tokens}; raise it or lower max_length"
            )
        lengths = limited.lengths
        row = row_shape(lengths, row_length)
        rows = pack(lengths, row)
        in_row = np.bincount(rows)
        batches = -(-len(in_row) // size)
        self.limited = limited
        self.shapes, self.batch_sizes = [row], [size]
        self.padding = 1.0 - float(lengths.sum()) / (batches * size * sum(row))
        self.pairs_per_row = int(in_row.max())
        self._shape = (batches, size, self.pairs_per_row)
        self._filled = len(in_row)
        _, self._kind = np.unique(lengths, axis=0, return_inverse=True)
        # Where the pairs are, sorted by their lengths: the row, and the place in it.
        self._rows = rows[np.argsort(self._kind, kind="stable")]
        by_row = np.argsort(self._rows, kind="stable")
        starts = in_row.cumsum() - in_row
        self._places = np.empty(len(rows), int)
        self._places[by_row] = np.arange(len(rows)) - starts[self._rows[by_row]]

    def __len__(self) -> int:
        return self._shape[0]

    def __call__(self, epoch: int, rng: np.random.Generator) -> list[Rows]:
        """Returns the pairs of each row of a batch [B, P], -1 after the last."""
        drawn = rng.permutation(len(self._kind))
        drawn = drawn[np.argsort(self._kind[drawn], kind="stable")]
        index = np.full(self._shape, NOTHING)
        rows = index.reshape(-1, self.pairs_per_row)
        rows[self._rows, self._places] = self.limited.kept[drawn]
        rows[: self._filled] = rng.permutation(rows[: self._filled])
        return [Rows(batch, self.shapes[0]) for batch in rng.permutation(index)]
