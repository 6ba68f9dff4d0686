"""Graphs from files: what is read, and which faults are named."""

import numpy as np
import pytest

from jaxvision.data.errors import DataError
from jaxvision.data.graph import read_graph, row_normalised
from jaxvision.data.sources.drawn_graph import drawn_graph


def parts(**changes):
    """Four nodes in a path and one without edges."""
    arrays = dict(
        shape=[5, 3],
        row=[0, 0, 1, 3],
        col=[0, 2, 1, 2],
        edges=[[0, 1], [1, 2], [2, 1], [2, 3], [3, 3]],
        labels=[0, 1, 0, 1, -1],
        train=[0, 1],
        val=[2],
        test=[3],
    )
    return {name: np.asarray(x) for name, x in (arrays | changes).items() if x is not None}


def test_edges_go_both_ways_and_features_are_normalised(tmp_path):
    np.savez(tmp_path / "graph.npz", **parts())
    graph = row_normalised(read_graph(tmp_path))
    expected = [[0, 1], [1, 0], [1, 2], [2, 1], [2, 3], [3, 2]]
    np.testing.assert_array_equal(graph.edges, expected)
    np.testing.assert_allclose(graph.values, [0.5, 0.5, 1, 1])
    assert "5 nodes (2 train, 1 val, 1 test; 1 without edges), 3 edges" in graph.describe()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(edges=[[0, 5]]), "edges must be of the 5 nodes, from 0, got 5"),
        (dict(edges=[[0, -1]]), "edges must be of the 5 nodes, from 0, got -1"),
        (dict(edges=[0, 1]), r"edges must be \[E, 2\], got \[2\]"),
        (dict(col=[0, 2, 1, 3]), "col must be of the 3 features, from 0, got 3"),
        (dict(row=[0, 0]), "row, col and value must be of one length"),
        (dict(labels=[0, 1]), r"labels must be \[5\], got \[2\]"),
        (dict(train=[4]), "nodes of train must have labels, node 4 has not"),
        (dict(val=np.array([], int)), "val must hold at least one node"),
        (dict(labels=None), "without labels"),
        (dict(value=[1, np.nan, 1, 1]), "value must be finite"),
        (dict(train=[0.5]), "train must hold integers, got float64"),
        (dict(labels=np.array([{}], object)), "expected an .npz file of plain arrays"),
    ],
)
def test_faults_are_named(tmp_path, changes, message):
    np.savez(tmp_path / "graph.npz", **parts(**changes))
    with pytest.raises(DataError, match=message):
        read_graph(tmp_path / "graph.npz")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="or a folder with one, got .*, where there is none"):
        read_graph(tmp_path)


def test_drawn_graph_is_the_same_each_time():
    one, other = drawn_graph(200), drawn_graph(200)
    assert one.digest() == other.digest() != drawn_graph(200, seed=1).digest()
    same = one.labels[one.edges[:, 0]] == one.labels[one.edges[:, 1]]
    assert 0.75 < same.mean() < 0.95
    assert sorted(np.concatenate(list(one.splits.values()))) == list(range(200))
