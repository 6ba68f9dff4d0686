"""Random walks, against transition probabilities by enumeration."""

import numpy as np
import pytest

from jaxvision.data.errors import DataError
from jaxvision.data.plans.word_blocks import Tokens, WordBlocks
from jaxvision.data.walks import neighbours, walk_text, walks

# A triangle 0 1 2, of which 2 leads over 3 to 4, and 3 to 0.
PAIRS = np.array([[0, 1], [1, 2], [0, 2], [2, 3], [3, 4], [3, 0]])
EDGES = np.concatenate([PAIRS, PAIRS[:, ::-1]])


def transition(before, now, p, q):
    """node2vec's probabilities of the next node, by its definition."""
    edges = {tuple(pair) for pair in EDGES.tolist()}
    weight = np.zeros(5)
    for node in range(5):
        if (now, node) in edges:
            near = (before, node) in edges
            weight[node] = 1 / p if node == before else 1.0 if near else 1 / q
    return weight / weight.sum()


@pytest.mark.parametrize(("p", "q"), [(1.0, 1.0), (0.25, 4.0), (4.0, 0.25)])
def test_second_order_walks_have_the_probabilities_of_the_paper(p, q):
    graph = neighbours(EDGES, 5)
    rng = np.random.default_rng(0)
    found = walks(graph, rng, starts=np.repeat(np.arange(5), 4000), length=3, p=p, q=q)
    for before, now in EDGES:
        of_pair = found[(found[:, 0] == before) & (found[:, 1] == now), 2]
        share = np.bincount(of_pair, minlength=5) / len(of_pair)
        wanted = transition(before, now, p, q)
        assert np.abs(share - wanted).max() < 5 * (0.25 / len(of_pair)) ** 0.5
        assert not share[wanted == 0].any()


def test_walks_start_at_every_node_with_edges():
    graph = neighbours(EDGES, 6, isolated="keep")
    text = walk_text(graph, np.random.default_rng(0), count=2, length=4, p=1.0, q=1.0)
    found = text.reshape(10, 5)
    assert (found[:, 4] == -1).all()
    assert sorted(found[:, 0].tolist()) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_isolated_nodes_and_wrong_edges_are_one_error():
    with pytest.raises(DataError, match="got 1 of 6 without one, the first is node 5"):
        neighbours(EDGES, 6)
    with pytest.raises(DataError, match="edges must be of the 4 nodes, from 0, got 4"):
        neighbours(EDGES, 4)
    with pytest.raises(ValueError, match=r"p must be in .0.001, 1000., got 0"):
        walks(
            neighbours(EDGES, 5), np.random.default_rng(0), starts=np.zeros(1, int), length=3, p=0
        )


def blocks_of(text, **options):
    plan = WordBlocks(lambda epoch, rng: Tokens(np.array(text, np.int32)), **options)
    return np.concatenate([rows.index for rows in plan(0, np.random.default_rng(0))])


def test_blocks_hold_every_word_as_a_centre_once():
    text = [0, 1, 2, -1, 3, 4, -1]
    found = blocks_of(text, block=3, halo=2, batch_size=2, ordered=True)
    assert found.shape == (4, 7)
    assert found[0].tolist() == [-1, -1, 0, 1, 2, -1, 3]
    assert found[1].tolist() == [1, 2, -1, 3, 4, -1, -1]
    shuffled = blocks_of(text, block=3, halo=2, batch_size=2)
    assert sorted(shuffled[:, 2:-2].ravel().tolist()) == sorted([*text, *[-1] * 5])


def test_words_are_thinned_before_windows_are_laid():
    keep = np.array([1.0, 0.0])
    text = [0, 1, 0, -1, 1, 1, -1, 0, -1] * 50
    found = blocks_of(text, block=50, halo=1, batch_size=1, keep=keep, ordered=True)
    centres = found[:, 1:-1].ravel()
    # The sentence of which nothing is left has no end of its own.
    assert centres[:10].tolist() == [0, 0, -1, 0, -1] * 2
    assert (centres == 0).sum() == 150


def test_a_text_without_known_words_is_refused():
    with pytest.raises(DataError, match="at least one word of the vocabulary, got none"):
        blocks_of([-1, -1], block=3, halo=2, batch_size=2)
