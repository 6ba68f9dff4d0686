"""Random walks on a graph: DeepWalk's and node2vec's sentences.

Perozzi et al. 2014, https://arxiv.org/abs/1403.6652, and Grover and Leskovec 2016,
https://arxiv.org/abs/1607.00653.
"""

from typing import NamedTuple

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.text.vocabulary import BREAK
from jaxvision.ops import ranges


class Neighbours(NamedTuple):
    """The neighbours of N nodes, one list after another.

    Attributes:
        starts: Where the list of each node starts, and the end of the last [N + 1] int64.
        nodes: The neighbours, ascending in each list [E] int32.
    """

    starts: np.ndarray
    nodes: np.ndarray

    @property
    def degrees(self) -> np.ndarray:
        """Number of neighbours of each node [N]."""
        return np.diff(self.starts)

    def joined(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Says which pairs of nodes have an edge between them, bool of their shape."""
        count = len(self.starts) - 1
        keys = np.repeat(np.arange(count), self.degrees) * count + self.nodes
        wanted = first.astype(np.int64) * count + second
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return keys[place] == wanted


def neighbours(edges: np.ndarray, num_nodes: int, *, isolated: str = "error") -> Neighbours:
    """Sorts edges by node.

    Args:
        edges: Pairs of nodes, each edge both ways, without doubles [E, 2].
        num_nodes: N.
        isolated: `error`, or `keep` for nodes without edges: no walk has them, and their vectors
            stay as they were drawn.

    Raises:
        DataError: If an edge is out of range, or there are nodes without edges.
        ValueError: If `isolated` is neither word.
    """
    if isolated not in ("error", "keep"):
        raise ValueError(f"isolated must be error or keep, got {isolated}")
    if len(edges) and not (edges.min() >= 0 and edges.max() < num_nodes):
        wrong = edges[(edges < 0) | (edges >= num_nodes)].flat[0]
        raise DataError(f"edges must be of the {num_nodes} nodes, from 0, got {wrong}")
    degrees = np.bincount(edges[:, 0], minlength=num_nodes)
    alone = np.flatnonzero(degrees == 0)
    if len(alone) == num_nodes or (len(alone) and isolated == "error"):
        raise DataError(
            f"walks need nodes with edges, got {len(alone):,} of {num_nodes:,} without one, the "
            f"first is node {alone[0]}; remove them, or keep their first vectors with "
            "walk.isolated=keep"
        )
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    starts = np.concatenate([[0], np.cumsum(degrees)])
    return Neighbours(starts, edges[order, 1].astype(np.int32))


def walks(
    graph: Neighbours,
    rng: np.random.Generator,
    *,
    starts: np.ndarray,
    length: int,
    p: float = 1.0,
    q: float = 1.0,
) -> np.ndarray:
    """Walks from each start: to a random neighbour, by node2vec's rule from the second step on.

    From t over v to a neighbour x of v, in proportion to 1 / p if x is t, to 1 if x is a neighbour
    of t, to 1 / q if not. A neighbour is proposed and accepted with its weight over the largest
    one, which draws from exactly this distribution without a table for each edge.

    Args:
        graph: The graph; p = q = 1 is DeepWalk.
        rng: Randomness.
        starts: First node of each walk [n]; nodes with edges.
        length: Nodes of a walk, T.
        p: Above 1 it rarely goes back at once.
        q: Below 1 it goes far, above 1 it stays near.

    Returns:
        [n, T] int32.

    Raises:
        ValueError: If a number is out of its range.
    """
    numbers = dict(length=length, p=p, q=q)
    ranges.check(numbers, "[1, 100_000]", "length")
    # Walks are drawn by rejection: of so unequal steps nearly all would be.
    ranges.check(numbers, "[0.001, 1000]", "p", "q")
    degrees = graph.degrees

    def propose(nodes: np.ndarray) -> np.ndarray:
        place = (rng.random(len(nodes)) * degrees[nodes]).astype(np.int64)
        return graph.nodes[graph.starts[nodes] + place]

    found = np.empty((len(starts), length), np.int32)
    found[:, 0] = starts
    highest = max(1.0 / p, 1.0, 1.0 / q)
    for step in range(1, length):
        now = found[:, step - 1]
        chosen = propose(now)
        if step > 1 and not p == q == 1:
            before = found[:, step - 2]
            left = np.arange(len(now))
            while len(left):
                far = ~graph.joined(before[left], chosen[left])
                weight = np.where(far, 1.0 / q, 1.0)
                weight = np.where(chosen[left] == before[left], 1.0 / p, weight)
                left = left[rng.random(len(left)) * highest >= weight]
                chosen[left] = propose(now[left])
        found[:, step] = chosen
    return found


def walk_text(
    graph: Neighbours, rng: np.random.Generator, *, count: int, length: int, p: float, q: float
) -> np.ndarray:
    """Makes the sentences of an epoch: `count` walks from each node that has edges.

    Returns:
        All walks in a random order, `BREAK` behind each [n * (length + 1)] int32.
    """
    ranges.check({"walks": count}, "[1, 10_000]", "walks")
    starts = rng.permutation(np.tile(np.flatnonzero(graph.degrees), count))
    found = walks(graph, rng, starts=starts, length=length, p=p, q=q)
    return np.pad(found, ((0, 0), (0, 1)), constant_values=BREAK).ravel()
