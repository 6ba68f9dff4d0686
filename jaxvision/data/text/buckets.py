"""Batches of sentence pairs of a few lengths, so that little of them is padding."""

from typing import NamedTuple

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.text.padding import Tokens, pad

# Lengths that a shape may end at, in each language; time grows with the fourth power.
_CANDIDATES = 40
_ROUNDS = 20


class Shape(NamedTuple):
    """The lengths of a batch.

    Attributes:
        source: S.
        target: T.
    """

    source: int
    target: int


def choose_shapes(lengths: np.ndarray, count: int) -> list[Shape]:
    """Finds shapes that hold all pairs with few tokens.

    To the shape that holds all, the one that saves most is added until there are `count`; then each
    in turn is put where it saves most beside the others, until none moves.

    Args:
        lengths: Tokens of source and target of each pair [N, 2].
        count: Shapes, at most.

    Returns:
        The shapes, smallest first, each needed by some pair.

    Raises:
        ValueError: If there is to be no shape.
    """
    if count < 1:
        raise ValueError(f"buckets must be at least 1, got {count}")
    ends = [_ends(side) for side in lengths.T]
    cells = np.stack(
        [np.searchsorted(e, side) for e, side in zip(ends, lengths.T, strict=True)], axis=1
    )
    places, pairs = np.unique(cells, axis=0, return_counts=True)
    held = np.stack([e[place] for e, place in zip(ends, places.T, strict=True)], axis=1)
    options = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 2)
    # cost[i, j]: tokens of a pair of cell j in shape i.
    cost = np.where(
        (held[None] <= options[:, None]).all(axis=2), options.sum(axis=1)[:, None], np.inf
    )

    def best_beside(others: list[int]) -> int:
        without = cost[others].min(axis=0)
        return int((np.minimum(cost, without[None]) @ pairs).argmin())

    largest = len(options) - 1
    chosen: list[int] = []
    while len(chosen) < count - 1:
        chosen.append(best_beside([largest, *chosen]))
    for _ in range(_ROUNDS):
        before = list(chosen)
        for i in range(len(chosen)):
            chosen[i] = best_beside([largest, *chosen[:i], *chosen[i + 1 :]])
        if chosen == before:
            break
    shapes = [Shape(*map(int, options[i])) for i in {largest, *chosen}]
    shapes.sort(key=lambda shape: (sum(shape), shape))
    return [shapes[i] for i in np.unique(assign(lengths, shapes))]


def assign(lengths: np.ndarray, shapes: list[Shape]) -> np.ndarray:
    """Gives each pair [N, 2] the shape [N] of fewest tokens that holds it."""
    order = sorted(range(len(shapes)), key=lambda i: -sum(shapes[i]))
    assigned = np.full(len(lengths), -1)
    for i in order:
        assigned[(lengths <= np.array(shapes[i])[None]).all(axis=1)] = i
    if (assigned < 0).any():
        raise ValueError(f"no shape holds a pair of {lengths[assigned < 0][0].tolist()} tokens")
    return assigned


class Buckets:
    """Batches of one pair a row, of a few shapes.

    Pairs that fill no batch of their own shape go into batches of a larger one; what is left at the
    end fills one batch in part, the rest of which is padding.

    Attributes:
        shapes: Lengths of source and target, smallest first.
        batch_sizes: B of each of them.
        padding: Share of an epoch's tokens that are padding.
        pairs_per_row: 1.
    """

    pairs_per_row = 1

    def __init__(
        self,
        pairs: np.ndarray,
        lengths: np.ndarray,
        *,
        batch_tokens: int,
        buckets: int,
        multiple: int,
    ) -> None:
        """Chooses the shapes.

        Args:
            pairs: Numbers of the pairs [N].
            lengths: Tokens of source and target of each [N, 2].
            batch_tokens: B times the longer of S and T of a batch, at most.
            buckets: Shapes, at most.
            multiple: B is a multiple of it.

        Raises:
            DataError: If a pair fits into no batch.
            ValueError: If there is to be no shape.
        """
        longest = int(lengths.max())
        if longest * multiple > batch_tokens:
            raise DataError(
                f"batch_tokens must be at least {longest * multiple}, {multiple} sentences of "
                f"{longest} tokens, got {batch_tokens}; raise it or lower max_length"
            )
        self.shapes = choose_shapes(lengths, buckets)
        self.batch_sizes = [batch_tokens // max(s) // multiple * multiple for s in self.shapes]
        assigned = assign(lengths, self.shapes)
        self._members = [pairs[assigned == k] for k in range(len(self.shapes))]
        # The sizes of batches are the same in all epochs, their members are not.
        plan = self.plan(np.random.default_rng(0))
        held = sum(self.batch_sizes[k] * sum(self.shapes[k]) for k, _ in plan)
        self.padding = 1.0 - float(lengths.sum()) / held

    def plan(self, rng: np.random.Generator) -> list[tuple[int, np.ndarray]]:
        """Draws an epoch: the shape and the pairs of each batch."""
        batches = []
        carried: list[list[np.ndarray]] = [[] for _ in self.shapes]
        for k, size in enumerate(self.batch_sizes):
            members = np.concatenate([*carried[k], rng.permutation(self._members[k])]).astype(int)
            full = len(members) // size * size
            batches += [(k, part) for part in members[:full].reshape(-1, size)]
            rest = members[full:]
            larger = (
                j for j in range(k + 1, len(self.shapes)) if _holds(self.shapes[j], self.shapes[k])
            )
            parent = next(larger, None)
            if parent is not None:
                carried[parent].append(rest)
            elif len(rest):
                batches.append((k, rest))
        return [batches[i] for i in rng.permutation(len(batches))]

    def batch(
        self, planned: tuple[int, np.ndarray], source: Tokens, target: Tokens
    ) -> dict[str, np.ndarray]:
        """Makes one of the batches of a plan."""
        k, members = planned
        size = self.batch_sizes[k]
        index = np.full(size, -1, np.int32)
        index[: len(members)] = members
        padded = (
            pad([sentences[i] for i in members], (size, length))
            for sentences, length in zip((source, target), self.shapes[k], strict=True)
        )
        return dict(zip(("source", "target"), padded, strict=True), index=index)


def _holds(shape: Shape, other: Shape) -> bool:
    return shape.source >= other.source and shape.target >= other.target


def _ends(lengths: np.ndarray) -> np.ndarray:
    """Returns the lengths at which a shape may end."""
    ends = np.unique(lengths)
    if len(ends) > _CANDIDATES:
        # Evenly by tokens: where many are, an end is worth more.
        ordered = np.sort(lengths)
        share = ordered.cumsum() / ordered.sum()
        places = np.searchsorted(share, np.arange(1, _CANDIDATES + 1) / _CANDIDATES)
        ends = np.unique(ordered[np.minimum(places, len(ordered) - 1)])
    return ends
