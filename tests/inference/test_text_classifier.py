import json

import jax
import numpy as np
import pytest

from jaxvision import models
from jaxvision.cli.main import main
from jaxvision.inference.load import load
from jaxvision.inference.text_classifier import TextClassifier
from jaxvision.recipes import text_classification
from jaxvision.train import loop

TEXTS = ["The soup was good", "the staff was not kind but the room felt quiet, warm", "a film"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = text_classification.defaults()
    config.update(epochs=1, batch_size=8)
    config.model.update(features=8, embedding=8, dropout_rate=0.1)
    config.data.update(texts=160, test="test", buckets=2)
    config.eval.batch_size = 8
    workdir = tmp_path_factory.mktemp("run")
    found = loop.run(text_classification.experiment(config), workdir)
    return workdir, found.metrics


@pytest.fixture(scope="module")
def model(run):
    return load(run[0])


def test_evaluation_is_that_of_the_run(run, model):
    assert isinstance(model, TextClassifier)
    for split in ("val", "test"):
        expected = {
            name.removeprefix(f"{split}/"): value
            for name, value in run[1].items()
            if name.startswith(f"{split}/")
        }
        np.testing.assert_equal(model.evaluate(split), expected)


def test_each_text_alone_and_together(model):
    together = model.replaced(batch_size=2)(TEXTS)
    assert [each.text for each in together] == TEXTS
    for text, found in zip(TEXTS, together, strict=True):
        alone = model(text)
        np.testing.assert_allclose(alone.probabilities, found.probabilities, atol=1e-6)
        tokens = model.task.encode(text)[None]
        logits = model.task.model.apply(
            model.variables, tokens, np.array([tokens.size], np.int32), train=False
        )
        np.testing.assert_allclose(found.probabilities, jax.nn.softmax(logits[0]), atol=1e-6)
        assert found.name == found.top(1)[0][0] == found.to_dict()["name"]
    assert together[0].plot().shape[2] == 3
    with pytest.raises(ValueError, match="a text must hold words, text 1 is ' '"):
        model(["good", " "])
    assert model([]) == []


def test_report_shows_the_worst_texts(model):
    data = model.data("val")
    report = model.report(model.evaluation(data, "val"), data)
    assert report.headline.endswith("on 20 texts")
    (worst,) = [each for each in report.sections if each.title == "Most confident mistakes"]
    assert report.values["worst"] and len(worst.parts) == len(report.values["worst"])
    assert report.values["worst"][0]["text"].startswith("val[")


def test_command_reads_texts_and_files(run, tmp_path, capsys):
    file = tmp_path / "texts.txt"
    file.write_text("the view seemed ugly\n\n \nthe price was fine\n")
    out = ["--out", str(tmp_path / "out"), "--save=json,csv"]
    assert main(["predict", str(run[0]), "The soup was good", str(file), *out]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[2] for line in printed] == [
        "The soup was good",
        "the view seemed ugly",
        "the price was fine",
    ]
    saved = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert json.dumps(saved).count('"text"') == 3
    assert main(["predict", str(run[0]), " ", "good"]) == 1
    assert "expected words" in capsys.readouterr().err
    assert main(["predict", str(run[0]), "good", "--beam=2"]) == 2
    assert "does not take --beam" in capsys.readouterr().err


def test_loading_says_nothing(run, caplog, capsys):
    load(run[0])
    assert not caplog.records and not capsys.readouterr().err


def test_wrong_vocabulary(model):
    task = model.task
    other = models.text_classifier("bilstm_text", vocabulary_size=5, num_classes=2)
    tokens = np.zeros((1, 2), np.int32)
    variables = other.init(jax.random.key(0), tokens, np.ones(1, np.int32), train=False)
    with pytest.raises(ValueError, match="the 5 tokens of the checkpoint"):
        TextClassifier(task, variables)


def test_stablehlo_computes_the_same(model, tmp_path):
    pytest.importorskip("flatbuffers")
    assert "probabilities differ" in model.export(tmp_path / "model.stablehlo").agreement


def test_onnx_takes_tokens_and_padding(model, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    session = onnxruntime.InferenceSession(model.export(tmp_path / "model.onnx").path)
    size = session.get_inputs()[0].shape[1]
    tokens = np.full((len(TEXTS), size), -1, np.int32)
    for row, text in zip(tokens, TEXTS, strict=True):
        encoded = model.task.encode(text)
        row[: len(encoded)] = encoded
    (found,) = session.run(None, {"tokens": tokens})
    expected = np.stack([each.probabilities for each in model(TEXTS)])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    with pytest.raises(ValueError, match="reads no pictures: run it by onnxruntime"):
        load(tmp_path / "model.onnx")
