"""Vectors of words, documents, items and nodes: trained, loaded, asked and written."""

import argparse

import numpy as np
import pytest
from ml_collections import ConfigDict

import jaxvision
from jaxvision.cli import predict
from jaxvision.data.errors import DataError
from jaxvision.data.sources.drawn_text import drawn_baskets, drawn_text
from jaxvision.data.text.vectors_file import read_vectors
from jaxvision.recipes import node_embedding, word_embedding
from jaxvision.train.loop import run


def config_of(recipe=word_embedding, **changes):
    config = recipe.defaults()
    config.update(size=16, batch_size=16, block=32, num_workers=0, log_every=1000)
    config.eval.epochs = 1000.0
    for name, value in changes.items():
        group, _, last = name.rpartition("__")
        (config[group] if group else config)[last] = value
    return config


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A drawn text is learned in a few seconds."""
    folder = tmp_path_factory.mktemp("word2vec")
    config = config_of(epochs=6, data__sentences=1000, data__subsample=0.0, data__min_count=1)
    config.optimizer.learning_rate = 0.1
    return folder, run(word_embedding.experiment(config), folder).metrics


def test_analogies_are_learned_and_a_loaded_run_says_the_same(trained, capsys):
    folder, metrics = trained
    # Chance is 1 of 170 words.
    assert metrics["analogies/accuracy"] > 0.2
    vectors = jaxvision.load(folder)
    assert vectors.evaluate("val")["loss"] == pytest.approx(metrics["val/loss"], rel=1e-5)
    classes = drawn_text(1000).classes
    found = vectors.replaced(top=5)
    same = [sum(classes.get(w) == classes[noun] for w in found(noun).words) for noun in classes]
    assert np.mean(same) > 1.5  # of five, the others are its verbs and adjectives
    result = vectors("dog")
    assert "dog" not in result.words and len(result.rows()) == 10 and result.summary()
    assert result.cosines == tuple(sorted(result.cosines, reverse=True))
    with pytest.raises(ValueError, match="expected a word of the 170 in the run, got 'sun'"):
        vectors("sun")


def test_vectors_are_written_and_questions_answered(trained, tmp_path):
    vectors = jaxvision.load(trained[0])
    words, found = read_vectors(vectors.save(tmp_path / "vectors.txt"))
    assert words == vectors.words and (found[3] == vectors.vector(words[3])).all()
    four = drawn_text(1000).analogies[:40]
    (tmp_path / "questions.txt").write_text("".join(f"{' '.join(each)}\n" for each in four))
    right = [vectors.analogy(*each[:3]).words[0] == each[3] for each in four]
    accuracy = vectors.analogies(str(tmp_path / "questions.txt"))["accuracy"]
    assert accuracy == pytest.approx(np.mean(right))


@pytest.mark.slow  # Matplotlib and t-SNE
def test_pictures_are_drawn(trained):
    vectors = jaxvision.load(trained[0])
    classes = drawn_text(1000).classes
    assert vectors.plot(list(classes), classes).std() > 5 and vectors("dog").plot().std() > 5


def test_command_prints_neighbours(trained, capsys, monkeypatch, tmp_path):
    parser = argparse.ArgumentParser()
    predict.add_parser(parser.add_subparsers())
    words = ["dog", "dog:dogs:cat", "sun"]
    options = ["--top=3", "--save=csv", f"--out={tmp_path}"]
    parsed = parser.parse_args(["predict", str(trained[0]), *words, *options])
    assert parsed.run(parsed) == 1
    lines, errors = capsys.readouterr()
    assert lines.startswith("dog: ") and "dog:dogs:cat: " in lines and len(lines.splitlines()) == 2
    assert "expected a word of the 170 in the run, got 'sun'" in errors
    assert len((tmp_path / "predictions.csv").read_text().splitlines()) == 7


@pytest.mark.slow
@pytest.mark.parametrize("output", ["negative", "hierarchical"])
@pytest.mark.parametrize("variant", ["cbow", "pv_dm", "pv_dbow"])
def test_other_variants_learn(variant, output, tmp_path, capsys):
    config = config_of(
        variant=variant, epochs=40, data__sentences=1000, loss__output=output, data__min_count=1
    )
    config.data.subsample = 0.0
    config.optimizer.learning_rate = 0.1
    result = run(word_embedding.experiment(config), tmp_path)
    vectors = jaxvision.load(tmp_path)
    if variant == "cbow":
        assert result.metrics["val/loss"] < 3.0  # at first 6 or more times log(2)
        return
    # Documents of one subject are near each other, and new ones are near their own kind.
    text = drawn_text(1000)
    documents = np.asarray(vectors.params["documents"])
    unit = documents / np.linalg.norm(documents, axis=1, keepdims=True)
    subjects = np.array([text.classes[words[3]] for words in text.sentences])
    scores = unit @ unit.T
    np.fill_diagonal(scores, -1)
    assert (subjects[scores.argmax(axis=1)] == subjects).mean() > 0.4  # of four
    shares = []
    for words in drawn_text(200, seed=5).sentences[:20]:  # one alone is near its kind or not
        new = vectors.infer(words, steps=200, rate=0.02)
        near = (unit @ (new / np.linalg.norm(new))).argsort()[-20:]
        shares.append((subjects[near] == text.classes[words[3]]).mean())
    assert np.mean(shares) > 0.35


@pytest.mark.slow
def test_items_of_a_basket_go_with_each_other(capsys):
    config = config_of(epochs=10, data__source="drawn_baskets", data__subsample=0.0)
    config.loss.update(window=0, dynamic=False)
    experiment = word_embedding.experiment(config)
    assert experiment.task.window == experiment.meta["info"]["longest"] - 1
    params = run(experiment).state.params
    # By the product that is learned: an item is never in its own basket twice, so that items of a
    # kind push away from themselves, and with so few items that is most of a cosine.
    scores = np.asarray(params["words"]) @ np.asarray(params["outputs"]).T
    np.fill_diagonal(scores, -np.inf)
    classes = drawn_baskets().classes
    names = experiment.task.words
    assert all(classes[names[i]] == classes[names[j]] for i, j in enumerate(scores.argmax(axis=1)))


@pytest.mark.slow
@pytest.mark.parametrize(("p", "q", "output"), [(1, 0.5, "negative"), (1, 1, "hierarchical")])
def test_classes_of_nodes_are_read_off_their_vectors(p, q, output, tmp_path, capsys):
    config = config_of(node_embedding, size=32, data__nodes=400, loss__output=output)
    config.update(epochs=3, block=64)
    config.walk.update(count=5, length=40, p=float(p), q=float(q))
    metrics = run(node_embedding.experiment(config), tmp_path).metrics
    assert metrics["test/accuracy"] > 0.7  # of four classes
    vectors = jaxvision.load(tmp_path)
    assert vectors.evaluate("test")["accuracy"] == pytest.approx(metrics["test/accuracy"])
    assert len(vectors("17").words) == 10


def test_phrases_of_the_training_text_are_joined_everywhere(tmp_path, capsys):
    (tmp_path / "train.txt").write_text("she left new york\nnew york is old\nhe left a is old\n")
    (tmp_path / "val.txt").write_text("he left new york\n")
    config = config_of(data__source="text", data__path=str(tmp_path), data__min_count=1)
    config.data.update(phrases=2.0, phrase_rounds=2)
    experiment = word_embedding.experiment(config)
    words = experiment.task.words
    assert "new_york" in words and "new" not in words
    (batch,) = experiment.eval_data["val"].data
    tokens = batch["tokens"][batch["tokens"] >= 0]
    assert [words[i] for i in dict.fromkeys(tokens.tolist())] == ["he", "left", "new_york"]


def test_training_is_the_same_from_any_step(capsys):
    config = config_of(node_embedding, data__nodes=100)
    config.walk.update(count=2, length=20)
    stream = node_embedding.experiment(config).train_data
    per_epoch = stream.steps_per_epoch
    batches = stream.batches()
    first = [next(batches)["tokens"] for _ in range(per_epoch + 2)]
    batches.close()
    later = stream.batches(per_epoch + 1)
    assert (next(later)["tokens"] == first[-1]).all()
    later.close()
    assert not (first[0] == first[per_epoch]).all()  # an epoch has walks of its own
    assert stream.rows({"tokens": first[0]}) == 16 * 32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(data__source="texts"), "data.source must be one of drawn, drawn_baskets, text"),
        (dict(data__source="text"), "data.path must name a text"),
        (dict(data__min_count=10_000), "at least two words that occur 10000 times or more"),
        (dict(update_blocks=5), "update_blocks must divide batch_size, 16, got 5"),
        (dict(dtype="bfloat16"), "dtype must be float32"),
        (dict(optimizer__name="adam"), "optimizer.name must be sgd"),
        (dict(data__phrases=float("nan")), "data.phrases must be at least 0"),
        (dict(variant="glove"), "variant must be one of skip_gram"),
        (dict(accumulate=2), "make_step replaces the step, which would ignore accumulate"),
    ],
)
def test_wrong_values_are_one_error(changes, message):
    config = ConfigDict(config_of(data__sentences=100).to_dict())
    for name, value in changes.items():
        group, _, last = name.rpartition("__")
        (config[group] if group else config)[last] = value
    with pytest.raises((ValueError, DataError), match=message):
        word_embedding.experiment(config)
