"""A random graph whose classes show in its edges and features: no download, no disk."""

import numpy as np

from jaxvision.data.graph import NodeGraph, make_graph
from jaxvision.ops import ranges

_CLASSES, _FEATURES, _ON, _DEGREE = 4, 80, 6, 4
# Share of edges inside of a class, and of features that are of the class's own.
_INSIDE, _OWN = 0.8, 0.4
_TRAIN_OF_CLASS = 10


def drawn_graph(num_nodes: int = 800, *, seed: int = 0) -> NodeGraph:
    """Draws a graph of four classes, of which ten nodes each are for training.

    Args:
        num_nodes: N; a quarter are for validation, the rest but the training nodes for the test.
        seed: Another seed is another graph.

    Raises:
        ValueError: If N is too small.
    """
    ranges.check({"num_nodes": num_nodes}, "[100, 1_000_000]", "num_nodes")
    rng = np.random.default_rng([seed, num_nodes])
    labels = np.arange(num_nodes) % _CLASSES

    def partner(classes: np.ndarray) -> np.ndarray:
        """Draws a node of each class."""
        return rng.integers(0, num_nodes // _CLASSES, len(classes)) * _CLASSES + classes

    senders = np.repeat(np.arange(num_nodes), _DEGREE // 2)
    other = rng.integers(0, _CLASSES, len(senders))
    receivers = partner(np.where(rng.random(len(senders)) < _INSIDE, labels[senders], other))
    rows = np.repeat(np.arange(num_nodes), _ON)
    own = labels[rows] + _CLASSES * rng.integers(0, _FEATURES // _CLASSES, len(rows))
    anything = rng.integers(0, _FEATURES, len(rows))
    columns = np.where(rng.random(len(rows)) < _OWN, own, anything)
    entries = np.unique(np.stack([rows, columns], axis=1), axis=0)
    train, val = _CLASSES * _TRAIN_OF_CLASS, num_nodes // 4
    order = np.arange(num_nodes)
    splits = {"train": order[:train], "val": order[train:][:val], "test": order[train + val :]}
    return make_graph(
        rows=entries[:, 0],
        columns=entries[:, 1],
        values=np.ones(len(entries)),
        num_features=_FEATURES,
        edges=np.stack([senders, receivers], axis=1),
        labels=labels,
        splits=splits,
        num_nodes=num_nodes,
        name="drawn",
    )
