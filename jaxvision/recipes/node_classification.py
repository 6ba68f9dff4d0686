"""Classification of the nodes of one graph: a step sees the whole graph."""

from collections.abc import Mapping
from typing import Any

from jaxvision import models
from jaxvision.data.graph import SPLITS, NodeGraph, node_stream, read_graph, row_normalised
from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.plans.shuffled import Shuffled
from jaxvision.data.sources.drawn import check_no_path
from jaxvision.data.sources.drawn_graph import drawn_graph
from jaxvision.data.stream import Stream
from jaxvision.recipes import values, wiring
from jaxvision.recipes.values import Config
from jaxvision.tasks.node_classification import NodeClassification
from jaxvision.train.experiment import Best, EvalSet, Experiment
from jaxvision.train.precision import compute_dtype

FREE = values.FREE
SOURCES = ("drawn", "npz", "planetoid")


def defaults() -> Config:
    """Returns all values, locked; those of GCN's paper."""
    config = values.common()
    config.update(variant="gcn", epochs=200, num_workers=0)  # an epoch is one step
    config.data.update(source="drawn", test="test")  # or npz or planetoid
    config.data.classes = ""  # comma-separated; empty: their numbers
    config.data.nodes = 800  # of a drawn graph
    config.data.normalise = True  # whether the features of each node are divided by their sum
    config.optimizer.update(name="adam", learning_rate=0.01, weight_decay=5e-4)
    # The paper has L2 on the first layer alone.
    config.optimizer.groups = (("layer1.*", 1.0, 1.0), (".*", 1.0, 0.0))
    config.schedule.name = "constant"
    config.eval.epochs = 200.0
    return values.locked(config)


def info(config: Config, train: NodeGraph) -> dict[str, Any]:
    """Returns what the task must know of the graph, as JSON.

    Args:
        config: The values.
        train: The graph.

    Raises:
        ValueError: If there are other than K names of classes.
    """
    names = wiring.class_names(config) or tuple(map(str, range(train.num_classes)))
    if len(names) != train.num_classes:
        raise ValueError(
            f"data.classes must name the {train.num_classes} classes of the graph, got {len(names)}"
        )
    return {"num_features": train.num_features, "class_names": list(names)}


_info = info  # `experiment` has an argument of that name


def task(config: Config, info: Mapping[str, Any]) -> NodeClassification:
    """Builds the task; opens no file.

    Args:
        config: The values.
        info: What `info` returned for the graph.

    Raises:
        ValueError: If a value is out of its range.
    """
    names = tuple(info["class_names"])
    model = wiring.network(
        models.graph_network, config, num_classes=len(names), dtype=compute_dtype(config.dtype)
    )
    return NodeClassification(model, info["num_features"], names)


def eval_data(config: Config, info: Mapping[str, Any], split: str) -> Stream:
    """Opens one split for evaluation; its batch holds the whole graph.

    Args:
        config: The values.
        info: What `info` returned for the graph.
        split: `train`, `val` or `test`.

    Raises:
        ValueError: If there is no such split, or the graph has other features.
    """
    graph = _open(config)
    if graph.num_features != info["num_features"]:
        raise ValueError(
            f"the graph must have the {info['num_features']} features that the network was "
            f"trained with, got {graph.num_features}"
        )
    return node_stream(graph, InOrder(1, 1), _name(config, split), whole=True)


def experiment(config: Config, info: Mapping[str, Any] | None = None) -> Experiment:
    """Wires the experiment, in the order in which data flows.

    Args:
        config: The values.
        info: That of the run which is continued; by default it is computed from the graph.

    Raises:
        ValueError: If a value is out of its range.
    """
    graph = _open(config)
    new_run = info is None
    info = _info(config, graph) if info is None else info
    the_task = task(config, info)

    def stream(split: str) -> Stream:
        return node_stream(graph, InOrder(1, 1), _name(config, split), whole=False)

    train_data = node_stream(
        graph,
        Shuffled(1, 1),
        _name(config, "train"),
        whole=False,
        seed=config.seed,
        num_workers=config.num_workers,
        prefetch=config.data.prefetch,
    )
    eval_sets = {"val": EvalSet(stream("val"))}
    if config.data.test:
        eval_sets["test"] = EvalSet(stream("test"), at_end=True)
    print(graph.describe())

    rate = wiring.learning_rate(config, epoch=1)
    return Experiment(
        task=the_task,
        train_data=train_data,
        eval_data=eval_sets,
        constants=graph.arrays(),
        optimizer=wiring.optimizer(config, rate),
        learning_rate=rate,
        init_from=wiring.init_from(config, config.variant, now=new_run),
        best=Best("val/accuracy"),
        meta=wiring.meta(__name__, config, info),
        **wiring.run_options(config, 1),
    )


def open_graph(data: Config) -> NodeGraph:
    """Opens the graph of the group `data`: `source`, `path`, and `nodes` of one that is drawn.

    Raises:
        DataError: If the file has a fault.
        ValueError: If there is no such source, or it needs a path.
    """
    if data.source not in SOURCES:
        raise ValueError(f"data.source must be one of {', '.join(SOURCES)}, got {data.source}")
    if data.source == "drawn":
        check_no_path(data.source, data.path)
        return drawn_graph(data.nodes)
    if not data.path:
        raise ValueError(
            f"data.path must name the file of the graph for data.source={data.source}, or its "
            "folder"
        )
    return read_graph(data.path)


def _open(config: Config) -> NodeGraph:
    graph = open_graph(config.data)
    return row_normalised(graph) if config.data.normalise else graph


def _name(config: Config, split: str) -> str:
    """Returns the graph's name of a split."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split}")
    if not config.data[split]:
        raise ValueError(f"data.{split} must name a split, and it is empty")
    return config.data[split]
