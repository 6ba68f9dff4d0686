"""Planetoid's eight files: what is read, that nothing in them runs, and which faults are named."""

import pathlib
import time

import numpy as np
import pytest
import python2_pickles as py2
from ml_collections import ConfigDict

from jaxvision.data.errors import DataError
from jaxvision.data.graph import read_graph
from jaxvision.data.readers.planetoid import MAX_BYTES
from jaxvision.data.readers.python2_pickle import MAX_OPERATIONS, Unreadable, read_pickle
from jaxvision.recipes import node_classification

CORA = pathlib.Path(__file__).parents[4] / "shared" / "data" / "cora"

# Nodes 0 and 1 train, 2 and 3 are the others, 6, 4 and 7 test, and 5 has no row.
ALLX = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0], [0, 0, 0.5]])
TX = np.array([[2, 0, 0], [0, 1, 1], [0, 0, 3]])
ALLY = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], "<i4")
TY = np.array([[0, 1], [1, 0], [1, 0]], "<i4")
NEAR = {0: [1, 1, 0], 1: [0, 4], 2: [], 3: [6], 4: [1], 6: [3, 7], 7: [6]}


def files(**changes):
    """The contents of the small graph's files by their names' ends."""
    made = dict(x=py2.sparse(ALLX[:2]), tx=py2.sparse(TX), allx=py2.sparse(ALLX))
    made |= dict(y=py2.array(ALLY[:2]), ty=py2.array(TY), ally=py2.array(ALLY))
    made |= dict(graph=py2.graph(NEAR), index=b"6\n4\n7\n")
    return made | changes


def write(folder, name="ind.small", **changes):
    for part, content in files(**changes).items():
        if content is not None:
            end = "test.index" if part == "index" else part
            (folder / f"{name}.{end}").write_bytes(content)
    return folder


def entries(graph):
    parts = (graph.rows, graph.columns, graph.values)
    return list(zip(*(part.tolist() for part in parts), strict=True))


def test_the_rows_of_tx_belong_to_the_nodes_of_the_index(tmp_path):
    graph = read_graph(write(tmp_path))
    train = [(0, 0, 1), (0, 2, 1), (1, 1, 1)]
    assert entries(graph) == [*train, (3, 2, 0.5), (4, 1, 1), (4, 2, 1), (6, 0, 2), (7, 2, 3)]
    assert graph.num_features == 3
    # Node 5 has no row, and so no class.
    assert graph.labels.tolist() == [0, 1, 0, 1, 0, -1, 1, 0]
    both = [[0, 1], [1, 0], [1, 4], [3, 6], [4, 1], [6, 3], [6, 7], [7, 6]]
    assert graph.edges.tolist() == both
    splits = {name: nodes.tolist() for name, nodes in graph.splits.items()}
    assert splits == {"train": [0, 1], "val": [2, 3], "test": [4, 6, 7]}
    assert graph.values.dtype == np.float32 and graph.labels.dtype == np.int32


def test_500_nodes_validate_and_a_row_of_zeros_is_no_class(tmp_path):
    ally = np.eye(2, dtype="<i4")[np.arange(503) % 2]
    ally[502] = 0
    allx = py2.sparse(np.ones((503, 3)))
    graph = read_graph(
        write(
            tmp_path, allx=allx, ally=py2.array(ally), index=b"503\n505\n504", graph=py2.graph({})
        )
    )
    assert graph.splits["val"].tolist() == list(range(2, 502))
    assert graph.labels[500:].tolist() == [0, 1, -1, 1, 0, 0]


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "|i1", ">i8"])
def test_numbers_of_any_size_and_order_are_read(tmp_path, dtype):
    expected = read_graph(write(tmp_path))
    features = dict(allx=py2.sparse(ALLX * 2, dtype), tx=py2.sparse(TX * 2, dtype))
    labels = dict(ally=py2.array(np.asfortranarray(ALLY, dtype)), ty=py2.array(TY.astype(dtype)))
    graph = read_graph(write(tmp_path, **features, **labels))
    np.testing.assert_array_equal(graph.values, expected.values * 2)
    np.testing.assert_array_equal(graph.labels, expected.labels)


def test_a_feature_that_is_written_as_0_is_none(tmp_path):
    expected = read_graph(write(tmp_path))
    indptr, indices = np.array([0, 2, 3, 4, 5], "<i4"), np.array([0, 2, 1, 1, 2], "<i4")
    data = np.array([1, 1, 1, 0, 0.5], "<f4")
    graph = read_graph(write(tmp_path, allx=py2.csr(indptr, indices, data, (4, 3))))
    assert entries(graph) == entries(expected)


@pytest.mark.skipif(not CORA.exists(), reason="needs Cora in shared/data")
def test_cora_from_its_eight_files_is_that_of_the_npz_file(tmp_path):
    expected = read_graph(CORA)
    dense = np.zeros((2708, 1433))
    dense[expected.rows, expected.columns] = expected.values
    labels = np.eye(7, dtype="<i4")[expected.labels]
    near = {node: [] for node in range(2708)}
    for node, other in expected.edges.tolist():
        near[node].append(other)
    index = 1708 + np.random.default_rng(0).permutation(1000)
    made = dict(x=py2.sparse(dense[:140]), tx=py2.sparse(dense[index]), graph=py2.graph(near))
    made |= dict(allx=py2.sparse(dense[:1708]), ally=py2.array(labels[:1708]))
    made |= dict(y=py2.array(labels[:140]), ty=py2.array(labels[index]))
    graph = read_graph(write(tmp_path, **made, index="\n".join(map(str, index)).encode()))
    assert graph.digest() == expected.digest() and graph.describe() == expected.describe()
    for name, nodes in expected.splits.items():
        np.testing.assert_array_equal(graph.splits[name], nodes)


def test_one_graph_of_several_in_a_folder_is_named(tmp_path):
    write(write(tmp_path), "ind.other", index=b"4\n5\n6\n", graph=py2.graph({}))
    with pytest.raises(DataError, match=r"got .*, with 2: ind\.other, ind\.small$"):
        read_graph(tmp_path)
    by_stem = read_graph(tmp_path / "ind.other")
    assert len(by_stem.labels) == 7
    assert read_graph(tmp_path / "ind.other.graph").digest() == by_stem.digest()
    np.savez(tmp_path / "a.npz")
    with pytest.raises(DataError, match=r"with 3: a\.npz, ind\.other, ind\.small$"):
        read_graph(tmp_path)
    with pytest.raises(DataError, match="where there is none$"):
        read_graph(tmp_path / "ind.neither")


def test_the_recipe_reads_the_files(tmp_path, capsys):
    config = ConfigDict(node_classification.defaults().to_dict())
    config.data.update(source="planetoid", path=str(write(tmp_path)))
    experiment = node_classification.experiment(config)
    assert experiment.task.num_features == 3
    assert "8 nodes (2 train, 2 val, 3 test; 2 without edges), 4 edges" in capsys.readouterr().out
    config.data.path = ""
    with pytest.raises(ValueError, match=r"data\.path must name .* data\.source=planetoid"):
        node_classification.experiment(config)


def test_absent_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"expected the eight files .* without ind\.small\.ally$"):
        read_graph(write(tmp_path, ally=None))
    (tmp_path / "ind.small.test.index").unlink()
    with pytest.raises(DataError, match=r"without ind\.small\.ally, ind\.small\.test\.index$"):
        read_graph(tmp_path)


def matrix(indptr=(0, 1, 2), indices=(0, 1), data=(1.0, 1.0), shape=(2, 3)):
    data = np.array(data, "<f4")
    return py2.csr(np.array(indptr, "<i4"), np.array(indices, "<i4"), data, shape)


ARRAY = py2.array(np.ones((2, 2), "<i4"))
FAULTS = [
    ("y", py2.array(ALLY[[1, 0]]), "expected the first rows of ally, got others"),
    ("y", py2.array(np.ones((2, 2), "<i4")), r"one-hot rows, .* got \[1, 1\] in row 0"),
    ("y", py2.array(np.full((2, 2), 0.5)), r"one-hot rows, .* got \[0\.5, 0\.5\] in row 0"),
    ("y", py2.array(np.full((2, 2), np.nan)), r"one-hot rows, .* got \[nan, nan\] in row 0"),
    ("y", py2.array(np.zeros((0, 2))), r"expected rows of classes, got \[0, 2\]"),
    ("y", py2.array(np.ones(2, "<i4")), r"of 2 axes and of numbers, got int32 \[2\]"),
    ("y", py2.array(ALLY[:2, :1]), "ally: expected 4 rows and 1 columns, as the columns of y"),
    ("ty", py2.array(TY[:2]), "expected 3 rows and 2 columns, .*, got 2 and 2"),
    ("ty", py2.array(TY * 0), "nodes of test must have labels, node 4 has not"),
    ("ty", py2.sparse(TY), r"expected a numpy\.ndarray, .* got a pickle of the type Matrix"),
    ("x", py2.sparse(ALLX), "expected 2 rows and 3 columns, .*, got 4 and 3"),
    ("tx", py2.sparse(TX[:, :2]), "expected 3 rows and 3 columns, .*, got 3 and 2"),
    ("allx", py2.sparse(ALLX[:3]), "expected 4 rows and 3 columns, .*, got 3 and 3"),
    ("x", ARRAY, r"expected a scipy\.sparse\.csr_matrix, .* got a pickle of the type Array"),
    ("x", py2.START + py2.text(b"features") + b".", "got a pickle of the type str"),
    ("x", matrix(indptr=(0, 1)), "expected 3 numbers in indptr, got 2"),
    ("x", matrix(indptr=(0, 3, 2)), r"expected indptr to rise from 0, got \[0, 3, 2\]"),
    ("x", matrix(indptr=(1, 1, 2)), r"expected indptr to rise from 0, got \[1, 1, 2\]"),
    ("x", matrix(indptr=(0, 1, 3)), "expected 3 indices and data, .* got 2 and 2"),
    ("x", matrix(data=(1,)), "expected 2 indices and data, .* got 2 and 1"),
    ("x", matrix(indices=(0, 3)), "expected indices from 0 to 2, got 0 to 3"),
    ("x", matrix(indices=(-1, 0)), "expected indices from 0 to 2, got -1 to 0"),
    ("x", matrix(data=(1, np.inf)), "expected finite features"),
    ("x", py2.sparse(np.full((2, 3), 1e300), "<f8"), "expected finite features"),
    ("x", matrix(shape=(2, 1 << 30)), r"columns from 1 to 10,000,000, got \(2, 1073741824\)"),
    ("x", matrix(shape=(2,)), r"_shape to be rows and columns from 1 to .*, got \(2,\)"),
    ("x", matrix().replace(b"_shape", b"_sharp"), "_shape to be rows and columns .*, got None"),
    ("x", matrix().replace(b"indptr", b"indptz"), "expected indptr as an array .* NoneType"),
    ("x", matrix().replace(b"i4", b"f4", 1), "indptr as an array of 1 axes and of integers"),
    ("graph", py2.graph({0: [8]}), "expected the numbers of the 8 nodes, .*, got 8"),
    ("graph", py2.graph({8: []}), "expected the numbers of the 8 nodes, .*, got 8"),
    ("graph", py2.graph({0: [-1]}), "expected the numbers of the 8 nodes, .*, got -1"),
    ("graph", py2.START + b"}" + b"K\x00K\x00s.", "a list of neighbours .* got the type int"),
    ("graph", py2.START + b"}K\x00]\x88as.", "expected the numbers .*, got the type bool"),
    ("graph", py2.START + b"}K\x00]]as.", "expected the numbers .*, got the type list"),
    (
        "graph",
        py2.START + b"].",
        "expected a dictionary of lists, .* got a pickle of the type list",
    ),
    ("index", b"6\n4\n4\n", "expected a different node in each line, got 2 in 3 lines"),
    ("index", b"", "expected a different node in each line, got 0 in 0 lines"),
    ("index", b"6\n4.0\n7\n", "expected a node below 10,000,000 in each line, got '4.0'"),
    ("index", b"6\n4\n10000000\n", "expected a node below .* got '10000000'"),
    ("index", b"6\n5\n7\n", "expected numbers from 4 on, .*, got 5"),
    ("index", b"6\n3\n7\n", "expected numbers from 4 on, .*, got 3"),
    ("index", b"6\n4\n", "tx: expected 2 rows and 3 columns, .*, got 3 and 3"),
]


@pytest.mark.parametrize(("part", "content", "message"), FAULTS)
def test_faults_are_named_with_the_file(tmp_path, part, content, message):
    with pytest.raises(DataError, match=message) as error:
        read_graph(write(tmp_path, **{part: content}))
    assert "ind.small" in str(error.value) and "\n" not in str(error.value)


OBJECTS = py2.array(np.zeros((2, 2), "<i8")).replace(b"\x02i8", b"\x02O8")
HOSTILE = {
    "another function": (
        py2.glob("os", "system") + py2.text(b"touch ran") + b"\x85R",
        r"refers to 'os\.system'",
    ),
    "a function of builtins": (
        py2.glob("__builtin__", "eval") + b")R",
        r"refers to '__builtin__\.eval'",
    ),
    "a method of an array": (
        py2.glob("numpy", "ndarray.tofile"),
        r"refers to 'numpy\.ndarray\.tofile'",
    ),
    "an instance": (b"(ios\nsystem\n", "operation INST"),
    "a persistent name": (b"K\x01Q", "operation BINPERSID"),
    "the extension registry": (b"\x82\x01", "operation EXT1"),
    "a call of a class": (py2.glob("numpy", "ndarray") + b"K\x02\x85R", "calls what is not a func"),
    "a call of a number": (b"K\x01)R", "calls what is not a function"),
    "a list that fills": (b"]}b", "fills a value that is not there"),
    "a dtype of text": (py2.glob("numpy", "dtype") + py2.text(b"i4") + b"\x85RK\x01b", "fills"),
    "a list in itself": (b"]q\x01h\x01a", "refers to a value again that is no name"),
    "a pair of itself": (b")q\x00h\x00\x86q\x00h\x00", "refers to a value again"),
    "a long text twice": (py2.text(b"a" * 256) + b"q\x01h\x01\x86", "refers to a value again"),
    "a mark in a pair": (b"K\x01(\x86", "takes more from its stack than there is"),
    "a pair of nothing": (b"\x86", "takes more from its stack than there is"),
    "a tuple without mark": (b"K\x01t", "takes more from its stack than there is"),
    "two values": (b"K\x01K\x01", "leaves more than one value"),
    "a key of tuples": (b"}K\x01\x85K\x01s", "keys are not integers or texts"),
    "a key without value": (b"}(K\x01u", "keys are not integers or texts"),
    "a large integer": (b"\x8a\x09" + bytes(8) + b"\x01", "more than 32 bits"),
    "a long text cut off": (b"T\xff\xff\xff\x7fabc", "is cut off or damaged"),
    "another protocol": (b"\x80\x04}", "is of protocol 4, not of 2"),
    "what is no pickle": (b"<html>", "is cut off or damaged"),
    "many operations": (b"K\x01" * MAX_OPERATIONS, "more than 1,000,000 operations"),
    "deep tuples": (b")" + b"\x85" * 500_000, "of the type tuple"),
    "deep lists": (b"]" * 400_000 + b"a" * 399_999, "of the type list"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_in_a_hostile_pickle_runs(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    body, message = HOSTILE[name]
    start = time.process_time()
    with pytest.raises(DataError, match=message) as error:
        read_graph(write(tmp_path, graph=py2.START + body + py2.END))
    assert time.process_time() - start < 4
    assert not (tmp_path / "ran").exists()
    assert "ind.small.graph: expected a dictionary of lists" in str(error.value)
    assert "\n" not in str(error.value) and len(str(error.value)) < 500


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (OBJECTS, "holds an array whose dtype is 'O8', not one of numbers"),
        (OBJECTS.replace(b"O8", b"S8"), "holds an array whose dtype is 'S8'"),
        (ARRAY.replace(b"K\x02K\x02\x86", b"K\x02K\x03\x86"), "of 24 bytes, of which 16 are there"),
        (ARRAY.replace(b"K\x02K\x02\x86", b"K\x02J\0\0\0\x7f\x86"), "side that is not from 0 to"),
        (ARRAY.replace(b"K\x02K\x02\x86", b"K\x02J\xff\xff\xff\xff\x86"), "side that is not from"),
        (ARRAY.replace(b"K\x02K\x02\x86", b"K\x02\x88\x86"), "side that is not from 0 to"),
        (ARRAY.replace(b"K\x02K\x02\x86", b"K\x02\x85"), "of 8 bytes, of which 16 are there"),
        (ARRAY.replace(b"K\x02K\x02\x86", b")"), "without one or two axes"),
        (ARRAY.replace(py2.text(bytes([1, 0, 0, 0]) * 4), b"]"), "of 16 bytes, of which none"),
        (py2.START + py2.glob("numpy.core.multiarray", "_reconstruct") + b")R.", "'NoneType'"),
    ],
)
def test_arrays_of_anything_but_their_numbers_are_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message) as error:
        read_graph(write(tmp_path, y=content))
    assert "ind.small.y: expected one-hot rows" in str(error.value)


@pytest.mark.parametrize("part", ["allx", "ally", "graph"])
def test_a_file_cut_off_anywhere_is_refused(part):
    content = files()[part]
    for length in range(len(content)):
        with pytest.raises(Unreadable):
            read_pickle(content[:length])


def test_a_file_beyond_the_limit_is_not_read(tmp_path):
    write(tmp_path)
    with (tmp_path / "ind.small.ty").open("r+b") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(DataError, match=r"ind\.small\.ty: expected at most 67,108,864 bytes"):
        read_graph(tmp_path)
