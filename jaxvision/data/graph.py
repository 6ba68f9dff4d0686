"""Graphs whose nodes have features, labels and splits: reading, checking, and batches of nodes."""

import hashlib
import os
import pathlib
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.plans.plan import Plan, Rows
from jaxvision.data.readers.planetoid import planetoid_stems, read_planetoid
from jaxvision.data.stream import Stream

SPLITS = ("train", "val", "test")
_ARRAYS = ("shape", "row", "col", "edges", "labels")
UNLABELLED = -1


class NodeGraph(NamedTuple):
    """A graph with features of its N nodes, most of which are 0.

    Attributes:
        rows: Node of each feature that is not 0 [M] int32.
        columns: Number of the feature, in [0, F) [M] int32.
        values: Its value [M] float32.
        num_features: F.
        edges: Pairs (from, to), each edge both ways, without loops and doubles [E, 2] int32.
        labels: Class of each node [N] int32, `UNLABELLED` for none.
        splits: Nodes of each split by its name, int32.
    """

    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    num_features: int
    edges: np.ndarray
    labels: np.ndarray
    splits: Mapping[str, np.ndarray]

    @property
    def num_classes(self) -> int:
        """K, the largest label and one."""
        return int(self.labels.max()) + 1

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns the arrays that a network reads, and the labels, by name."""
        names = ("rows", "columns", "values", "edges", "labels")
        return {name: getattr(self, name) for name in names}

    def digest(self) -> str:
        """Sums up the graph: SHA-256."""
        hashed = hashlib.sha256()
        for value in self.arrays().values():
            hashed.update(np.ascontiguousarray(value).tobytes())
        return hashed.hexdigest()

    def describe(self) -> str:
        """Describes the graph in a line."""
        degree = np.bincount(self.edges[:, 1], minlength=len(self.labels))
        parts = ", ".join(f"{len(nodes):,} {name}" for name, nodes in self.splits.items())
        return (
            f"{len(self.labels):,} nodes ({parts}; {(degree == 0).sum():,} without edges), "
            f"{len(self.edges) // 2:,} edges, {self.num_features:,} features, "
            f"{self.num_classes} classes"
        )


def read_graph(path: str | os.PathLike[str]) -> NodeGraph:
    """Reads a graph from an `.npz` file or from Planetoid's eight files; nothing is unpickled.

    Args:
        path: An `.npz` file, one of Planetoid's files or what their names begin with, as
            `DIR/ind.cora` (`jaxvision.data.readers.planetoid`), or a folder with one graph. The
            `.npz` file holds `shape` (N, F), `row` and `col` [M] of the features that are not 0,
            `value` [M] (1 if it is absent), `edges` [E, 2], `labels` [N], -1 for none, and the
            numbers of the nodes in `train`, `val` and `test`, of which the last may be absent.

    Raises:
        DataError: If there is no such file, or what it holds has a fault.
    """
    found = _find(pathlib.Path(path).expanduser())
    if found.is_file():
        return _read_npz(found)
    return make_graph(**read_planetoid(found)._asdict(), name=str(found))


def _read_npz(file: pathlib.Path) -> NodeGraph:
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{file}: expected an .npz file of plain arrays: {str(error).splitlines()[0]}"
        ) from error
    missing = [name for name in (*_ARRAYS, "train", "val") if name not in arrays]
    if missing:
        raise DataError(
            f"{file}: expected the arrays {', '.join((*_ARRAYS, *SPLITS))}, without "
            f"{', '.join(missing)}"
        )
    for name, array in arrays.items():
        if name != "value" and not np.issubdtype(array.dtype, np.integer):
            raise DataError(f"{file}: {name} must hold integers, got {array.dtype}")
    if arrays["shape"].shape != (2,):
        raise DataError(f"{file}: shape must be (nodes, features), got {arrays['shape']}")
    nodes, features = (int(side) for side in arrays["shape"])
    entries = arrays["row"].shape
    values = arrays.get("value", np.ones(entries, np.float32))
    return make_graph(
        rows=arrays["row"],
        columns=arrays["col"],
        values=values,
        num_features=features,
        edges=arrays["edges"],
        labels=arrays["labels"],
        splits={name: arrays[name] for name in SPLITS if name in arrays},
        num_nodes=nodes,
        name=str(file),
    )


def make_graph(
    *,
    rows: np.ndarray,
    columns: np.ndarray,
    values: np.ndarray,
    num_features: int,
    edges: np.ndarray,
    labels: np.ndarray,
    splits: Mapping[str, np.ndarray],
    num_nodes: int,
    name: str,
) -> NodeGraph:
    """Checks the parts of a graph, gives each edge both ways and drops loops and doubles.

    Args:
        rows: As `NodeGraph` has it, as the others.
        columns: Features.
        values: Finite.
        num_features: F.
        edges: Pairs of nodes, one way or both.
        labels: Classes.
        splits: Nodes; all of them must have labels.
        num_nodes: N.
        name: Of the graph, for messages.

    Raises:
        DataError: If a part has a fault.
    """
    sizes = {len(rows), len(columns), len(values)}
    if len(sizes) > 1:
        raise DataError(f"{name}: row, col and value must be of one length, got {sorted(sizes)}")
    if labels.shape != (num_nodes,):
        raise DataError(f"{name}: labels must be [{num_nodes}], got {list(labels.shape)}")
    if edges.ndim != 2 or edges.shape[1] != 2:
        raise DataError(f"{name}: edges must be [E, 2], got {list(edges.shape)}")
    if not np.isfinite(values).all():
        raise DataError(f"{name}: value must be finite, got NaN or infinity")
    _check_range(name, "row", rows, num_nodes, "nodes")
    _check_range(name, "col", columns, num_features, "features")
    _check_range(name, "edges", edges, num_nodes, "nodes")
    if labels.min(initial=UNLABELLED) < UNLABELLED:
        raise DataError(f"{name}: labels must be at least {UNLABELLED}, got {labels.min()}")
    for split, nodes in splits.items():
        _check_range(name, split, nodes, num_nodes, "nodes")
        if not len(nodes):
            raise DataError(f"{name}: {split} must hold at least one node, got none")
        if without := nodes[labels[nodes] == UNLABELLED].tolist():
            raise DataError(f"{name}: nodes of {split} must have labels, node {without[0]} has not")
    both = np.concatenate([edges, edges[:, ::-1]]).astype(np.int64)
    both = np.unique(both[both[:, 0] != both[:, 1]], axis=0)
    return NodeGraph(
        rows.astype(np.int32),
        columns.astype(np.int32),
        values.astype(np.float32),
        num_features,
        both.astype(np.int32),
        labels.astype(np.int32),
        {split: nodes.astype(np.int32) for split, nodes in splits.items()},
    )


def row_normalised(graph: NodeGraph) -> NodeGraph:
    """Divides the features of each node by their sum; a node without features keeps zeros."""
    sums = np.bincount(graph.rows, graph.values, minlength=len(graph.labels))
    safe = np.where(sums == 0, 1, sums)
    return graph._replace(values=(graph.values / safe[graph.rows]).astype(np.float32))


def node_stream(graph: NodeGraph, plan: Plan, split: str, *, whole: bool, **options: Any) -> Stream:
    """Makes batches of `jaxvision.data.batch.NodeBatch`, each with all nodes of a split.

    Args:
        graph: The graph.
        plan: Of one example.
        split: Its name.
        whole: Whether batches hold the graph too, which else is a constant of the run.
        **options: Keywords of `Stream`, as `seed`.

    Raises:
        DataError: If there is no such split.
        ValueError: If an option is out of its range.
    """
    if split not in graph.splits:
        raise DataError(f"the graph must have a split {split!r}, got {', '.join(graph.splits)}")
    batch = {"nodes": graph.splits[split], **(graph.arrays() if whole else {})}

    def example(index: int, rng: np.random.Generator) -> dict[str, Any]:
        del index, rng
        return batch

    axes = dict.fromkeys((*batch, "mask"))
    return Stream(plan, example, _only, axes=axes, digest=graph.digest, **options)


def probe_stream(graph: NodeGraph, split: str, train: str = "train") -> Stream:
    """Makes the one batch of which classes are read off vectors: `nodes`, `labels` and `train_*`.

    Args:
        graph: The graph.
        split: Nodes whose classes are asked.
        train: Nodes whose classes are known.

    Raises:
        DataError: If there is no such split.
    """
    if missing := [name for name in (split, train) if name not in graph.splits]:
        raise DataError(
            f"the graph must have a split {missing[0]!r}, got {', '.join(graph.splits)}"
        )
    nodes, known = graph.splits[split], graph.splits[train]
    batch = {"nodes": nodes, "train_nodes": known}
    batch |= {"labels": graph.labels[nodes], "train_labels": graph.labels[known]}

    def example(index: int, rng: np.random.Generator) -> dict[str, Any]:
        del index, rng
        return batch

    axes = dict.fromkeys((*batch, "mask"))
    return Stream(InOrder(1, 1), example, _only, axes=axes, digest=graph.digest)


def _only(examples: Sequence[Any], rows: Rows) -> dict[str, Any]:
    del rows
    return dict(examples[0])


def _check_range(name: str, part: str, numbers: np.ndarray, count: int, what: str) -> None:
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < count):
        wrong = numbers[(numbers < 0) | (numbers >= count)].flat[0]
        raise DataError(f"{name}: {part} must be of the {count} {what}, from 0, got {wrong}")


def _find(path: pathlib.Path) -> pathlib.Path:
    """Returns the `.npz` file, or what the names of Planetoid's files begin with."""
    stems = planetoid_stems(path)
    if path.is_file() and not stems:
        return path
    found = [*(sorted(path.glob("*.npz")) if path.is_dir() else ()), *stems]
    if len(found) != 1:
        names = ", ".join(file.name for file in found)
        held = f"with {len(found)}: {names}" if found else "where there is none"
        raise DataError(
            "expected an .npz file of a graph, Planetoid's files (as DIR/ind.cora), or a folder "
            f"with one, got {path}, {held}"
        )
    return found[0]
