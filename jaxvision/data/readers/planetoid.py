"""Planetoid's files of Cora, Citeseer and PubMed (Yang, Cohen and Salakhutdinov 2016).

https://arxiv.org/abs/1603.08861, https://github.com/kimiyoung/planetoid. A graph is eight files,
`ind.cora.x` and so on:

    x, tx, allx         features, as `csr_matrix`: of the labelled nodes to train on, of the nodes
                        to test on, and of all others, which begin with those of x
    y, ty, ally         labels of the same nodes, as one-hot rows
    graph               the neighbours of each node, by its number
    test.index          the number of the node in each row of tx, a line for each, in any order

The split is that of GCN (Kipf and Welling 2016): those of x train, the next 500 validate, those of
tx test. Citeseer has test nodes without a row in tx: they have neither features nor a class, and
are in no split. The files are pickles, of which nothing is executed (`python2_pickle`).
"""

import pathlib
import re
from typing import Any, NamedTuple

import numpy as np

from jaxvision.data.errors import DataError, shown
from jaxvision.data.readers.checks import list_folder
from jaxvision.data.readers.python2_pickle import Array, Matrix, Unreadable, read_pickle

PARTS = ("x", "tx", "allx", "y", "ty", "ally", "graph", "test.index")
NUM_VALIDATION = 500
# Bytes of a file, and nodes or features of a graph, at most.
MAX_BYTES = 1 << 26
MAX_COUNT = 10_000_000

_NO_CLASS = -1  # as in a `NodeGraph`
_FILE = re.compile(rf"(ind\..+)\.(?:{'|'.join(map(re.escape, PARTS))})")


class PlanetoidGraph(NamedTuple):
    """What the eight files hold of a graph of N nodes with F features.

    Attributes:
        rows: Node of each feature that is not 0 [M].
        columns: Number of the feature [M].
        values: Its value [M] float32.
        num_features: F.
        edges: Pairs (node, neighbour) as they are written, with doubles and loops [E, 2].
        labels: Class of each node [N], -1 for none.
        splits: Nodes of `train`, `val` and `test`, each in ascending order.
        num_nodes: N, the largest number of a test node and one.
    """

    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    num_features: int
    edges: np.ndarray
    labels: np.ndarray
    splits: dict[str, np.ndarray]
    num_nodes: int


class _Features(NamedTuple):
    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    shape: tuple[int, int]


def planetoid_stems(path: pathlib.Path) -> list[pathlib.Path]:
    """Finds Planetoid's graphs.

    Args:
        path: A folder, a file such as `DIR/ind.cora.graph`, or `DIR/ind.cora`.

    Returns:
        What the names of each graph's files begin with, sorted; some of the files may be absent.

    Raises:
        DataError: If a folder cannot be read.
    """
    if path.is_file():
        match = _FILE.fullmatch(path.name)
        return [path.with_name(match[1])] if match else []
    folder, stem = (path, None) if path.is_dir() else (path.parent, path.name)
    names = list_folder(str(folder), "Planetoid's files") if folder.is_dir() else []
    found = {match[1] for name in names if (match := _FILE.fullmatch(name))}
    return [folder / name for name in sorted(found) if stem in (None, name)]


def read_planetoid(stem: pathlib.Path) -> PlanetoidGraph:
    """Reads the eight files of a graph; nothing is unpickled.

    Args:
        stem: What their names begin with, as `DIR/ind.cora`.

    Raises:
        DataError: If a file is absent, damaged, or does not go with the others.
    """
    files = {part: stem.with_name(f"{stem.name}.{part}") for part in PARTS}
    absent = [file.name for file in files.values() if not file.is_file()]
    if absent:
        raise DataError(
            f"{stem}: expected the eight files {stem.name}.{{{','.join(PARTS)}}}, without "
            f"{', '.join(absent)}"
        )
    x, others, tested = (_features(files[part]) for part in ("x", "allx", "tx"))
    y, other_labels, tested_labels = (_labels(files[part]) for part in ("y", "ally", "ty"))
    index = _test_index(files["test.index"])
    count, classes = len(other_labels), y.shape[1]
    for part, got, expected, why in (
        ("x", x.shape, (len(y), others.shape[1]), "the rows of y and the columns of allx"),
        ("allx", others.shape, (count, others.shape[1]), "the rows of ally"),
        ("tx", tested.shape, (len(index), others.shape[1]), "the lines of test.index and allx"),
        ("ally", other_labels.shape, (count, classes), "the columns of y"),
        ("ty", tested_labels.shape, (len(index), classes), "the lines of test.index and y"),
    ):
        if got != expected:
            raise DataError(
                f"{files[part]}: expected {expected[0]} rows and {expected[1]} columns, as {why} "
                f"say, got {got[0]} and {got[1]}"
            )
    if not np.array_equal(y, other_labels[: len(y)]):
        raise DataError(f"{files['y']}: expected the first rows of ally, got others")
    ordered = np.sort(index)
    if ordered[0] != count:
        raise DataError(
            f"{files['test.index']}: expected numbers from {count} on, the first after the rows "
            f"of allx, got {ordered[0]}"
        )
    nodes = int(ordered[-1]) + 1
    labels = np.full(nodes, _NO_CLASS)
    labels[:count], labels[index] = _classes(other_labels), _classes(tested_labels)
    rows = np.concatenate([others.rows, index[tested.rows]])
    columns = np.concatenate([others.columns, tested.columns])
    order = np.lexsort((columns, rows))
    return PlanetoidGraph(
        rows[order],
        columns[order],
        np.concatenate([others.values, tested.values])[order],
        others.shape[1],
        _edges(files["graph"], nodes),
        labels,
        {
            "train": np.arange(len(y)),
            "val": np.arange(len(y), min(len(y) + NUM_VALIDATION, count)),
            "test": ordered,
        },
        nodes,
    )


def _content(file: pathlib.Path) -> bytes:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"{file}: cannot read Planetoid's file: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise DataError(f"{file}: expected at most {MAX_BYTES:,} bytes, got more")
    return data


def _unpickled(file: pathlib.Path, kind: type, what: str) -> Any:
    expected = f"{file}: expected {what}, pickled by Python 2"
    try:
        value = read_pickle(_content(file))
    except Unreadable as error:
        raise DataError(f"{expected}, got a pickle that {error}") from error
    if not isinstance(value, kind):
        raise DataError(f"{expected}, got a pickle of the type {type(value).__name__}")
    return value


def _numbers(file: pathlib.Path, value: Any, what: str, axes: int, kinds: str) -> np.ndarray:
    """Returns an array whose dtype is of one of the `kinds`."""
    expected = f"{file}: expected {what} as an array of {axes} axes"
    if not isinstance(value, Array):
        raise DataError(f"{expected}, got the type {type(value).__name__}")
    try:
        array = value.numbers()
    except Unreadable as error:
        raise DataError(f"{expected}, got a pickle that {error}") from error
    if array.ndim != axes or array.dtype.kind not in kinds:
        wanted = "integers" if kinds == "iu" else "numbers"
        raise DataError(f"{expected} and of {wanted}, got {array.dtype} {list(array.shape)}")
    return array


def _features(file: pathlib.Path) -> _Features:
    """Reads a `csr_matrix`; of its features those that are not 0."""
    fields = _unpickled(file, Matrix, "a scipy.sparse.csr_matrix").fields
    shape = fields.get("_shape")
    sides = shape if isinstance(shape, tuple) and len(shape) == 2 else ()
    if not sides or not all(type(n) is int and 1 <= n <= MAX_COUNT for n in sides):
        raise DataError(
            f"{file}: expected _shape to be rows and columns from 1 to {MAX_COUNT:,}, got "
            f"{shown(shape)}"
        )
    indptr = _numbers(file, fields.get("indptr"), "indptr", 1, "iu").astype(np.int64)
    indices = _numbers(file, fields.get("indices"), "indices", 1, "iu").astype(np.int64)
    values = _numbers(file, fields.get("data"), "data", 1, "iufb")
    if len(indptr) != sides[0] + 1:
        raise DataError(f"{file}: expected {sides[0] + 1} numbers in indptr, got {len(indptr)}")
    if indptr[0] != 0 or (np.diff(indptr) < 0).any():
        raise DataError(
            f"{file}: expected indptr to rise from 0, got {shown(indptr[:10].tolist())}"
        )
    if not len(indices) == len(values) == indptr[-1]:
        raise DataError(
            f"{file}: expected {indptr[-1]} indices and data, as indptr says, got {len(indices)} "
            f"and {len(values)}"
        )
    if len(indices) and not 0 <= indices.min() <= indices.max() < sides[1]:
        raise DataError(
            f"{file}: expected indices from 0 to {sides[1] - 1}, got {indices.min()} to "
            f"{indices.max()}"
        )
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    if not np.isfinite(values).all():
        raise DataError(f"{file}: expected finite features of float32, got NaN or infinity")
    rows = np.repeat(np.arange(sides[0]), np.diff(indptr))
    there = values != 0
    return _Features(rows[there], indices[there], values[there], sides)


def _labels(file: pathlib.Path) -> np.ndarray:
    """Reads one-hot rows, of which some may be all 0."""
    value = _unpickled(file, Array, "a numpy.ndarray")
    array = _numbers(file, value, "one-hot rows", 2, "iufb")
    if 0 in array.shape:
        raise DataError(f"{file}: expected rows of classes, got {list(array.shape)}")
    wrong = ((array != 0) & (array != 1)).any(1) | ((array != 0).sum(1) > 1)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"{file}: expected one-hot rows, of one 1 at most, got {shown(array[row].tolist())} "
            f"in row {row}"
        )
    return array


def _classes(one_hot: np.ndarray) -> np.ndarray:
    return np.where(one_hot.any(1), one_hot.argmax(1), _NO_CLASS)


def _edges(file: pathlib.Path, count: int) -> np.ndarray:
    graph = _unpickled(file, dict, "a dictionary of lists")
    lists = list(graph.values())
    if others := [near for near in lists if not isinstance(near, list)]:
        raise DataError(
            f"{file}: expected a list of neighbours for each node, got the type "
            f"{type(others[0]).__name__}"
        )
    numbers = [node for near in lists for node in near]
    wrong = [n for n in (*graph, *numbers) if type(n) is not int or not 0 <= n < count]
    if wrong:
        got = wrong[0] if type(wrong[0]) is int else f"the type {type(wrong[0]).__name__}"
        raise DataError(
            f"{file}: expected the numbers of the {count} nodes, from 0, which test.index ends "
            f"with, got {got}"
        )
    nodes = np.repeat(np.array(list(graph), np.int64), [len(near) for near in lists])
    return np.stack([nodes, np.array(numbers, np.int64)], axis=1)


def _test_index(file: pathlib.Path) -> np.ndarray:
    """Reads the numbers of nodes, a line for each, in the order of the file."""
    words = _content(file).split()
    for word in words:
        if not re.fullmatch(rb"[0-9]{1,9}", word) or int(word) >= MAX_COUNT:
            raise DataError(
                f"{file}: expected a node below {MAX_COUNT:,} in each line, got {shown(word)[1:]}"
            )
    index = np.array([int(word) for word in words], np.int64)
    different = len(np.unique(index))
    if different != len(index) or not different:
        raise DataError(
            f"{file}: expected a different node in each line, got {different} in {len(index)} lines"
        )
    return index
