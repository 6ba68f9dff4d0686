"""Huffman's code by hand, and draws from a table."""

import fill
import jax
import numpy as np
import pytest

from jaxvision.ops.alias import AliasTable, alias_table, draw
from jaxvision.ops.huffman import huffman_tree


def test_code_by_hand():
    # 1 + 2 = 3 (node 0), 3 + 4 = 7 (node 1; the 3 is that node), 5 + 7 = 12 (node 2, the root).
    tree = huffman_tree([5, 4, 2, 1])
    assert tree.codes.tolist() == [[0, -1, -1], [1, 1, -1], [1, 0, 1], [1, 0, 0]]
    assert tree.nodes.tolist() == [[2, -1, -1], [2, 1, -1], [2, 1, 0], [2, 1, 0]]


def test_codes_match_reference():
    case = fill.load_case("word2vec")
    tree = huffman_tree(case["counts"])
    assert ((tree.codes >= 0).sum(axis=1) == case["huffman_lengths"]).all()
    assert (tree.codes == case["huffman_codes"]).all()


def test_a_tree_needs_two_leaves():
    with pytest.raises(ValueError, match="at least two leaves, got 1"):
        huffman_tree([3])


def test_alias_table_holds_the_distribution():
    case = fill.load_case("word2vec")
    table = alias_table(np.asarray(case["counts"], np.float64) ** 0.75)
    mass = np.bincount(np.arange(40), table.share, 40)
    mass += np.bincount(table.other, 1.0 - table.share, 40)
    assert np.abs(mass / 40 - case["negative_probability"]).max() < 1e-7
    for wrong in ([], [0.0, 0.0], [1.0, -1.0], [np.nan, 1.0]):
        with pytest.raises(ValueError, match="weights must be finite"):
            alias_table(np.array(wrong))


def test_draws_follow_the_table():
    table = alias_table(np.array([0.0, 1.0, 3.0]))
    found = np.asarray(draw(jax.random.key(0), AliasTable(*table), (4000,)))
    assert np.abs(np.bincount(found, minlength=3) / 4000 - [0, 0.25, 0.75]).max() < 0.03
