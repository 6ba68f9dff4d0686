"""Shapes of batches of sentence pairs, chosen so that little of them is padding."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxvision.ops import ranges

# Candidates for the lengths of a shape, in each language; time grows with the fourth power.
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

    Starts with the shape that holds all pairs and adds the shape that saves most tokens until there
    are `count`; then replaces each in turn by the one that saves most together with the others,
    until none changes.

    Args:
        lengths: Tokens of source and target of each pair [N, 2].
        count: Upper limit of the number of shapes.

    Returns:
        The shapes, smallest first; each is used by some pair.

    Raises:
        ValueError: If `count` is below 1.
    """
    ranges.check({"buckets": count}, "[1, 1000]", "buckets")
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

    def best_with(others: list[int]) -> int:
        without = cost[others].min(axis=0)
        return int((np.minimum(cost, without[None]) @ pairs).argmin())

    largest = len(options) - 1
    chosen: list[int] = []
    while len(chosen) < count - 1:
        chosen.append(best_with([largest, *chosen]))
    for _ in range(_ROUNDS):
        before = list(chosen)
        for i in range(len(chosen)):
            chosen[i] = best_with([largest, *chosen[:i], *chosen[i + 1 :]])
        if chosen == before:
            break
    shapes = [Shape(*map(int, options[i])) for i in {largest, *chosen}]
    shapes.sort(key=lambda shape: (sum(shape), shape))
    return [shapes[i] for i in np.unique(assign(lengths, shapes))]


def assign(lengths: np.ndarray, shapes: Sequence[Shape]) -> np.ndarray:
    """Returns for each pair [N, 2] the number of the shape [N] of fewest tokens that holds it.

    Raises:
        ValueError: If no shape holds a pair.
    """
    assigned = np.full(len(lengths), -1)
    for i in sorted(range(len(shapes)), key=lambda i: -sum(shapes[i])):
        assigned[(lengths <= np.array(shapes[i])[None]).all(axis=1)] = i
    if (assigned < 0).any():
        raise ValueError(f"no shape holds a pair of {lengths[assigned < 0][0].tolist()} tokens")
    return assigned


def _ends(lengths: np.ndarray) -> np.ndarray:
    """Returns the candidates for the length of a shape in one language."""
    ends = np.unique(lengths)
    if len(ends) > _CANDIDATES:
        # Evenly by tokens: candidates are worth more where there are many tokens.
        ordered = np.sort(lengths)
        share = ordered.cumsum() / ordered.sum()
        places = np.searchsorted(share, np.arange(1, _CANDIDATES + 1) / _CANDIDATES)
        ends = np.unique(ordered[np.minimum(places, len(ordered) - 1)])
    return ends
