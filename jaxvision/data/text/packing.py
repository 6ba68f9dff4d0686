"""Rows that several sentence pairs share: one shape of batch, and little of it padding."""

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.text.buckets import Shape
from jaxvision.data.text.padding import Tokens
from jaxvision.data.text.tokenizer import PAD

# Pairs that may share rows.
_CHUNK = 4096
# Lengths that suit devices better than those next to them.
_ROUND = 8


def pack(lengths: np.ndarray, row: Shape) -> np.ndarray:
    """Puts each pair into the first row that has room for it in both languages.

    Pairs come in chunks, drawn at random but always alike, the longest of a chunk first; each chunk
    has rows of its own, so that the time grows with the number of pairs and not with its square.

    Args:
        lengths: Tokens of source and target of each pair [N, 2].
        row: What a row holds.

    Returns:
        The row of each pair [N], from 0.

    Raises:
        ValueError: If a row does not hold a pair.
    """
    if (lengths > row).any():
        raise ValueError(
            f"a row must hold every pair, {lengths.max(axis=0).tolist()} tokens, got {list(row)}"
        )
    # By chance pairs that are longer in one language meet such as are longer in the other.
    order = np.random.default_rng(0).permutation(len(lengths))
    rows = np.empty(len(lengths), int)
    first = 0
    for start in range(0, len(order), _CHUNK):
        chunk = order[start : start + _CHUNK]
        chunk = chunk[np.argsort(-lengths[chunk].sum(axis=1), kind="stable")]
        room_source, room_target = (np.full(len(chunk), length) for length in row)
        for pair in chunk:
            source, target = lengths[pair]
            # There is a row of its own for each, if it has to be.
            place = int(((room_source >= source) & (room_target >= target)).argmax())
            room_source[place] -= source
            room_target[place] -= target
            rows[pair] = first + place
        first = rows[chunk].max() + 1
    return rows


def row_shape(lengths: np.ndarray, longest: int) -> Shape:
    """Chooses what a row holds: `longest` tokens in one language, in the other in proportion.

    Args:
        lengths: Tokens of source and target of each pair [N, 2], at most `longest`.
        longest: Tokens of the language that has more of them.
    """
    share = lengths.sum(axis=0) / lengths.sum(axis=0).max()
    proportional = np.ceil(longest * share / _ROUND).astype(int) * _ROUND
    held = np.maximum(np.minimum(proportional, longest), lengths.max(axis=0))
    return Shape(*held.tolist())


class PackedRows:
    """Batches of rows that several pairs share, all of one shape.

    Which lengths share a row is decided once; which pairs have these lengths, and which rows are a
    batch, is new in each epoch. So all epochs have as many batches.

    Attributes:
        shapes: Length of source and target, of one kind.
        batch_sizes: B of it.
        padding: Share of an epoch's tokens that are padding.
        pairs_per_row: Of the row with the most, P.
    """

    def __init__(
        self,
        pairs: np.ndarray,
        lengths: np.ndarray,
        *,
        batch_tokens: int,
        row_length: int,
        multiple: int,
    ) -> None:
        """Packs pairs.

        Args:
            pairs: Their numbers [N].
            lengths: Tokens of source and target of each [N, 2].
            batch_tokens: B times `row_length`, at most.
            row_length: Tokens of a row in the language that has more of them.
            multiple: B is a multiple of it.

        Raises:
            DataError: If there is no room for `multiple` rows.
        """
        size = batch_tokens // row_length // multiple * multiple
        if not size:
            raise DataError(
                f"batch_tokens must be at least {row_length * multiple}, {multiple} rows of "
                f"max_length {row_length} tokens, got {batch_tokens}; raise it or lower max_length"
            )
        row = row_shape(lengths, row_length)
        rows = pack(lengths, row)
        in_row = np.bincount(rows)
        batches = -(-len(in_row) // size)
        self.shapes, self.batch_sizes = [row], [size]
        self.padding = 1.0 - float(lengths.sum()) / (batches * size * sum(row))
        self._pairs = pairs
        self.pairs_per_row = int(in_row.max())
        self._shape = (batches, size, self.pairs_per_row)
        self._filled = len(in_row)
        _, self._kind = np.unique(lengths, axis=0, return_inverse=True)
        # Where the pairs lie, in order of their lengths: the row, and the place in it.
        self._rows = rows[np.argsort(self._kind, kind="stable")]
        by_row = np.argsort(self._rows, kind="stable")
        starts = in_row.cumsum() - in_row
        self._places = np.empty(len(pairs), int)
        self._places[by_row] = np.arange(len(pairs)) - starts[self._rows[by_row]]

    def plan(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Draws an epoch: the pairs of each row of a batch [B, P], -1 after the last."""
        drawn = rng.permutation(len(self._pairs))
        drawn = drawn[np.argsort(self._kind[drawn], kind="stable")]
        index = np.full(self._shape, -1, np.int32)
        rows = index.reshape(-1, self.pairs_per_row)
        rows[self._rows, self._places] = self._pairs[drawn]
        rows[: self._filled] = rng.permutation(rows[: self._filled])
        return list(rng.permutation(index))

    def batch(self, planned: np.ndarray, source: Tokens, target: Tokens) -> dict[str, np.ndarray]:
        """Makes one of the batches of a plan."""
        batch = {}
        for name, sentences, length in zip(
            ("source", "target"), (source, target), self.shapes[0], strict=True
        ):
            tokens = np.full((len(planned), length), PAD, np.int32)
            segments = np.zeros_like(tokens)
            for b, row in enumerate(planned):
                end = 0
                for number, pair in enumerate(row[row >= 0], 1):
                    start, end = end, end + len(sentences[pair])
                    tokens[b, start:end] = sentences[pair]
                    segments[b, start:end] = number
            batch |= {name: tokens, f"{name}_segments": segments}
        return {**batch, "index": planned}
