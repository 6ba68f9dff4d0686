"""Vectors of the nodes of a graph from random walks: DeepWalk and node2vec."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from jaxvision.data.graph import NodeGraph, probe_stream
from jaxvision.data.plans.word_blocks import Tokens, WordBlocks
from jaxvision.data.stream import Stream
from jaxvision.data.walks import Neighbours, neighbours, walk_text
from jaxvision.recipes import values, wiring
from jaxvision.recipes.node_classification import open_graph
from jaxvision.recipes.values import Config
from jaxvision.recipes.word_embedding import check_values, embedding_experiment, embedding_values
from jaxvision.tasks.word_embedding import OF_DOCUMENTS, WordEmbedding
from jaxvision.train.experiment import Best, EvalSet, Experiment

FREE = values.FREE


def defaults() -> Config:
    """Returns all values, locked; those of node2vec's paper, and its walks' p and q of DeepWalk."""
    config = embedding_values()
    config.size = 128
    config.data.update(source="drawn", test="test")  # or npz or planetoid
    config.data.nodes = 800  # of a drawn graph
    config.loss.window = 10
    config.walk = ConfigDict()
    config.walk.count = 10  # walks from each node in an epoch
    config.walk.length = 80  # nodes of a walk
    config.walk.p = 1.0  # above 1: a walk rarely goes back at once
    config.walk.q = 1.0  # below 1: it goes far; above 1: it stays near
    config.walk.isolated = "error"  # of nodes without edges; or keep: their vectors stay as drawn
    return values.locked(config)


def info(config: Config, train: NodeGraph) -> dict[str, Any]:
    """Returns what the task must know of the graph, as JSON: the degrees of its nodes.

    Args:
        config: The values.
        train: The graph.

    Raises:
        DataError: If there are nodes without edges, unless they are kept.
    """
    return {"degrees": _neighbours(config, train).degrees.tolist()}


_info = info  # `experiment` has an argument of that name


def task(config: Config, info: Mapping[str, Any]) -> WordEmbedding:
    """Builds the task; opens no file.

    Args:
        config: The values.
        info: What `info` returned for the graph.

    Raises:
        ValueError: If a value is out of its range.
    """
    if config.variant in OF_DOCUMENTS:
        raise ValueError(f"variant must be skip_gram or cbow for walks, got {config.variant}")
    loss = wiring.keywords(config.loss)
    loss["window"] = loss["window"] or max(config.walk.length - 1, 1)
    degrees = tuple(info["degrees"])
    # Walks visit a node in proportion to its degree.
    return WordEmbedding(
        words=tuple(map(str, range(len(degrees)))),
        counts=degrees,
        size=config.size,
        variant=config.variant,
        **loss,
    )


def eval_data(config: Config, info: Mapping[str, Any], split: str) -> Stream:
    """Opens one split, whose classes are read off the vectors by logistic regression.

    Args:
        config: The values.
        info: What `info` returned for the graph.
        split: `train`, `val` or `test`.

    Raises:
        DataError: If the data has a fault.
        ValueError: If there is no such split, or the graph is another.
    """
    graph = open_graph(config.data)
    if len(graph.labels) != len(info["degrees"]):
        raise ValueError(
            f"the graph must be that of the run, of {len(info['degrees'])} nodes, got one of "
            f"{len(graph.labels)}"
        )
    return _probe(config, graph, split)


def experiment(config: Config, info: Mapping[str, Any] | None = None) -> Experiment:
    """Wires the experiment, in the order in which data flows.

    Args:
        config: The values.
        info: That of the run which is continued; by default it is computed from the graph.

    Raises:
        DataError: If the data has a fault.
        ValueError: If a value is out of its range.
    """
    check_values(config)
    graph = open_graph(config.data)
    new_run = info is None
    info = _info(config, graph) if info is None else info
    the_task = task(config, info)
    near = _neighbours(config, graph)
    walk = wiring.keywords(config.walk, "isolated")

    def text(epoch: int, rng: np.random.Generator) -> Tokens:
        del epoch
        return Tokens(walk_text(near, rng, **walk))

    plan = WordBlocks(text, block=config.block, halo=the_task.window, batch_size=config.batch_size)
    eval_sets = {"val": EvalSet(_probe(config, graph, "val"))}
    if config.data.test:
        eval_sets["test"] = EvalSet(_probe(config, graph, "test"), at_end=True)
    print(graph.describe())
    best = Best("val/accuracy")
    return embedding_experiment(
        config, the_task, plan, eval_sets, best, __name__, info, graph.digest, now=new_run
    )


def _neighbours(config: Config, graph: NodeGraph) -> Neighbours:
    return neighbours(graph.edges, len(graph.labels), isolated=config.walk.isolated)


def _probe(config: Config, graph: NodeGraph, split: str) -> Stream:
    if split not in ("train", "val", "test"):
        raise ValueError(f"split must be one of train, val, test, got {split}")
    if not config.data[split]:
        raise ValueError(f"data.{split} must name a split, and it is empty")
    return probe_stream(graph, config.data[split], config.data.train)
