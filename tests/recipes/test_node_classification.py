"""A network for graphs, trained, loaded and evaluated."""

import numpy as np
import pytest
import small_data
from ml_collections import ConfigDict

import jaxvision
from jaxvision.cli.main import main
from jaxvision.data.errors import DataError
from jaxvision.data.sources.drawn_graph import drawn_graph
from jaxvision.recipes import node_classification
from jaxvision.train.loop import run


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A drawn graph is learned in 60 steps."""
    folder = tmp_path_factory.mktemp("gcn")
    config = node_classification.defaults()
    config.update(epochs=60, log_every=100)
    config.data.nodes = 400
    return folder, run(node_classification.experiment(config), folder).metrics


def test_classes_are_learned_and_a_loaded_run_says_the_same(trained, capsys):
    folder, metrics = trained
    assert metrics["val/accuracy"] > 0.85 and metrics["test/accuracy"] > 0.85
    predictor = jaxvision.load(folder)
    assert predictor.evaluate("test")["accuracy"] == pytest.approx(metrics["test/accuracy"])
    graph = drawn_graph(400)
    found = predictor(graph)
    right = np.array([int(name) for name in found.names()]) == graph.labels
    test = graph.splits["test"]
    assert right[test].mean() == pytest.approx(metrics["test/accuracy"])
    assert found.rows()[0].keys() == {"node", "class", "probability"} and found.summary()


def test_the_command_predicts_the_graph_of_the_run_and_others(trained, tmp_path, capsys):
    folder, graph = trained[0], drawn_graph(400)
    small_data.write_npz(tmp_path / "other.npz")
    command = ["predict", str(folder), f"--out={tmp_path / 'found'}", "--save=csv"]
    assert main(command) == 0
    assert capsys.readouterr().out == f"drawn: {jaxvision.load(folder)(graph).summary()}\n"
    assert len((tmp_path / "found" / "predictions.csv").read_text().splitlines()) == 401
    files = [str(tmp_path / name) for name in ("none.npz", "other.npz")]
    assert main(["predict", str(folder), *files]) == 1
    said = capsys.readouterr()
    assert "none.npz, where there is none" in said.err and files[1] in said.out


def test_other_graphs_are_refused(trained):
    predictor = jaxvision.load(trained[0])
    with pytest.raises(ValueError, match="the graph must have 80 features, got 81"):
        predictor(drawn_graph(100)._replace(num_features=81))
    config = node_classification.defaults()
    for data, message in (
        (dict(source="npz"), "data.path must name the file"),
        (dict(source="cora"), "data.source must be one of drawn, npz, planetoid, got cora"),
        (dict(classes="a,b"), "data.classes must name the 4 classes of the graph, got 2"),
        (dict(val="valid"), "the graph must have a split 'valid'"),
    ):
        wrong = ConfigDict(config.to_dict())
        wrong.data.update(data)
        with pytest.raises((ValueError, DataError), match=message):
            node_classification.experiment(wrong)
