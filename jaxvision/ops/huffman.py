"""Huffman's code of a vocabulary, as hierarchical softmax needs it."""

import heapq
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class HuffmanTree(NamedTuple):
    """The way from the root of a binary tree to each of V leaves.

    Attributes:
        nodes: Inner nodes on the way to each leaf, the root first [V, P] int32 in [0, V - 1); -1
            after the last.
        codes: Which child is taken at each of them [V, P] int32, 0 for the rarer and 1 for the more
            frequent one; -1 after the last.
    """

    nodes: np.ndarray
    codes: np.ndarray


def huffman_tree(counts: Sequence[int]) -> HuffmanTree:
    """Builds the tree that makes the ways to frequent leaves short.

    Args:
        counts: How often each of the V leaves occurs. Of equal nodes the older one is joined first:
            leaves from the last to the first, then inner nodes in the order of their making.

    Raises:
        ValueError: If there are fewer than two leaves.
    """
    size = len(counts)
    if size < 2:
        raise ValueError(f"a Huffman tree must have at least two leaves, got {size}")
    # The order of word2vec's own program, whose vocabulary is sorted by falling counts.
    heap = [(int(counts[leaf]), size - 1 - leaf, leaf) for leaf in range(size)]
    heapq.heapify(heap)
    parents = np.zeros(2 * size - 1, np.int64)
    is_second = np.zeros(2 * size - 1, np.int64)
    for made in range(size - 1):
        (rare, _, first), (frequent, _, second) = heapq.heappop(heap), heapq.heappop(heap)
        parents[[first, second]] = size + made
        is_second[second] = 1
        heapq.heappush(heap, (rare + frequent, size + made, size + made))
    root = 2 * size - 2
    ways: list[list[tuple[int, int]]] = []
    for leaf in range(size):
        node, way = leaf, []
        while node != root:
            way.append((int(parents[node]) - size, int(is_second[node])))
            node = int(parents[node])
        ways.append(way[::-1])
    longest = max(map(len, ways))
    nodes, codes = np.full((2, size, longest), -1, np.int32)
    for leaf, way in enumerate(ways):
        nodes[leaf, : len(way)], codes[leaf, : len(way)] = np.transpose(way)
    return HuffmanTree(nodes, codes)
