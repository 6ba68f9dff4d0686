import gzip

import numpy as np
import pytest

import jaxvision
from jaxvision.cli import main
from jaxvision.data.errors import DataError
from jaxvision.data.language import read_text, tokens_of
from jaxvision.data.text.word_tokenizer import WordTokenizer
from jaxvision.recipes import language_modelling
from jaxvision.train import loop


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A text in the layout of a corpus: train, valid and test, compressed or not."""
    path = tmp_path_factory.mktemp("text")
    lines = [f"one dog barks {word}" for word in ["now", "then", "here", "there"]]
    with gzip.open(path / "book.train.txt.gz", "wt") as file:
        file.write("\n\n".join(8 * lines))
    (path / "book.valid.txt").write_text("\n".join(lines))
    (path / "book.test.txt").write_text("two dogs bark")
    return path


def config_of(folder, **changes):
    config = language_modelling.defaults()
    config.update(batch_size=8, window=5, epochs=2)
    config.model.features = 8
    config.data.update(source="text", path=str(folder), val="valid", test="test")
    config.eval.update(batch_size=8, window=5)
    config.update(changes)
    return config


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("run")
    result = loop.run(language_modelling.experiment(config_of(folder)), workdir)
    return workdir, result


def test_texts_are_counted_as_they_stand(folder):
    text = read_text(str(folder), "valid")
    tokens = tokens_of(text, WordTokenizer.train(["one dog barks now"], 9))
    assert tokens.describe() == f"{text.name}: 20 tokens, 15.0% of them unknown"


def test_a_loaded_run_measures_what_the_run_did(run):
    workdir, result = run
    model = jaxvision.load(workdir)
    for split in ("val", "test"):
        found = model.evaluate(split)
        assert set(found) == {"perplexity", "loss", "accuracy"}
        expected = {name: result.metrics[f"{split}/{name}"] for name in found}
        np.testing.assert_equal(found, expected)
    assert 1 < result.metrics["val/perplexity"] < 12
    page = model.report(model.evaluation(model.data("val"), "val"), None)
    assert "perplexity" in page.headline
    assert model("one dog").plot().shape[2] == 3


def test_predict_continues_prompts(run, tmp_path, capsys):
    workdir, _ = run
    flags = ["--length=4", "--temperature=0.5", "--top-k=3", "--seed=2", f"--out={tmp_path}"]
    assert main.main(["predict", str(workdir), "one dog", "--save=json,csv", *flags]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("one dog")
    same = jaxvision.load(workdir).generate("one dog", length=4, temperature=0.5, top_k=3, seed=2)
    assert printed == f"{same}\n"
    assert (tmp_path / "predictions.json").exists() and (tmp_path / "predictions.csv").exists()
    assert main.main(["predict", str(workdir), "one dog", "--beam=3"]) == 2
    assert "does not take --beam" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(source="text", path=""), "data.path must name a text or a folder"),
        (dict(source="shapes"), "data.source must be one of drawn, text, got shapes"),
        (dict(val=""), "data.val must name a split"),
        (
            dict(source="drawn", path="", sentences=3),
            r"data.sentences must be in .800, 10_000_000., got 3",
        ),
    ],
)
def test_wrong_values_are_errors(folder, changes, message):
    config = config_of(folder)
    config.data.update(changes)
    with pytest.raises(ValueError, match=message):
        language_modelling.experiment(config)


def test_an_empty_text_is_an_error(tmp_path):
    (tmp_path / "train.txt").write_text("\n \n")
    with pytest.raises(DataError, match=r"train.txt is empty, expected a text"):
        language_modelling.experiment(config_of(tmp_path))
