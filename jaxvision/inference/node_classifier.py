"""A trained network for graphs, applied to all nodes of a graph."""

import dataclasses
import os
from typing import Any

import jax
import numpy as np

from jaxvision.data.graph import NodeGraph, read_graph, row_normalised
from jaxvision.inference.predictor import Predictor
from jaxvision.inference.program import Program
from jaxvision.inference.reports.layout import EvaluationReport, Section, metrics_table
from jaxvision.inference.result import Result
from jaxvision.models.graph.sparse import SparseFeatures
from jaxvision.tasks.node_classification import NodeClassification
from jaxvision.train.evaluate import Evaluation


@dataclasses.dataclass(frozen=True, eq=False)
class NodeClasses(Result):
    """The classes of the nodes of a graph.

    Attributes:
        probabilities: Of each node and class [N, K].
        class_names: Name of each class.
    """

    probabilities: np.ndarray
    class_names: tuple[str, ...]

    columns = ("node", "class", "probability")

    def names(self) -> list[str]:
        """Returns the most probable class of each node."""
        return [self.class_names[i] for i in self.probabilities.argmax(axis=1)]

    def plot(self) -> np.ndarray:
        """Is not there: a graph has no places to draw its nodes at.

        Raises:
            ValueError: Always.
        """
        raise ValueError("the classes of nodes have no picture; use to_dict() or rows()")

    def to_dict(self) -> dict[str, Any]:
        """Returns classes and probabilities as values that JSON can hold."""
        best = self.probabilities.max(axis=1)
        return {"classes": self.names(), "probabilities": [round(float(p), 6) for p in best]}

    def summary(self) -> str:
        """Returns how many nodes are of each class."""
        counts = np.bincount(self.probabilities.argmax(axis=1), minlength=len(self.class_names))
        return ", ".join(f"{n:,} {name}" for name, n in zip(self.class_names, counts, strict=True))

    def rows(self) -> list[dict[str, Any]]:
        """Returns a row for each node."""
        found = self.to_dict()
        pairs = zip(found["classes"], found["probabilities"], strict=True)
        return [{"node": i, "class": c, "probability": p} for i, (c, p) in enumerate(pairs)]


class NodeClassifier(Predictor):
    """Classifies the nodes of graphs.

    predictor = jaxvision.load("runs/gcn")
    predictor("cora.npz").names()
    """

    reads = "graphs"
    options = ()
    formats = ("json", "csv")
    batch_size = 1
    task: NodeClassification

    def replaced(self) -> "NodeClassifier":
        """Returns the predictor, which has no options."""
        return self

    def __call__(self, inputs: NodeGraph | str | os.PathLike[str]) -> NodeClasses:
        """Predicts the classes of all nodes.

        Args:
            inputs: A graph, or a file that `read_graph` reads, with the features of the training.

        Raises:
            DataError: If the file has a fault.
            ValueError: If the graph has other features.
        """
        graph = inputs if isinstance(inputs, NodeGraph) else read_graph(inputs)
        if graph.num_features != self.task.num_features:
            raise ValueError(
                f"the graph must have {self.task.num_features} features, got {graph.num_features}"
            )
        if self.origin is None or self.origin.config.data.normalise:
            graph = row_normalised(graph)
        key = jax.random.key(0)
        found = self._predict(self.params, self.model_state, graph.arrays(), key)
        return NodeClasses(np.asarray(found), self.task.class_names)

    def program(self) -> Program:
        """Returns all that predicting a graph of 100 nodes computes."""
        count, features = 100, self.task.num_features

        def inputs(batch: int) -> tuple[np.ndarray, ...]:
            del batch
            rng = np.random.default_rng(0)
            rows = np.repeat(np.arange(count), 10).astype(np.int32)
            columns = rng.integers(0, features, len(rows)).astype(np.int32)
            edges = rng.integers(0, count, (4 * count, 2)).astype(np.int32)
            return rows, columns, edges

        def apply(variables: Any, rows: jax.Array, columns: jax.Array, edges: jax.Array) -> Any:
            values = jax.numpy.ones(len(rows))
            x = SparseFeatures(rows, columns, values, num_rows=count, num_columns=features)
            return self.task.model.apply(variables, x, edges, train=False)

        return Program(apply, inputs, f"graph of {count} nodes")

    def served(self, *, nms: bool = False) -> Program:
        """Has no form for other runtimes, as the number of nodes belongs to the program.

        Raises:
            ValueError: Always.
        """
        del nms
        raise ValueError(
            "a network for graphs is exported as .safetensors alone, since programs for other "
            "runtimes would be for one number of nodes"
        )

    def report(self, evaluation: Evaluation, data: Any) -> EvaluationReport:
        """Lays out the metrics of an evaluation."""
        del data
        metrics = evaluation.metrics
        headline = f"accuracy {metrics['accuracy']:.4f}"
        sections = [Section("Metrics", "", [metrics_table(metrics)])]
        return EvaluationReport(headline, {"metrics": metrics}, sections)
