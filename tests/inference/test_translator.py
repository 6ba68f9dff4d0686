import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest
import toy_translation
from toy_translation import CONFIG, ENGLISH, GERMAN, trained, write_run

from jaxvision.data.errors import DataError
from jaxvision.data.text.tokenizer import END, PAD, START, SubwordTokenizer
from jaxvision.inference.translator import Translator
from jaxvision.models.sequence.embedding import sinusoidal_positions

# Of 18 tokens, more than the shortest batches have.
LONG = "one man and a dog and a cat and a dog and a man and a dog"


@pytest.fixture(scope="module", autouse=True)
def prepared():
    with toy_translation.prepared():
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def translator():
    task, params = trained()
    greedy = dataclasses.replace(task, beam_size=1)
    return Translator(greedy, params, max_length=20, batch_size=4)


def test_run_translates_what_it_learned(run):
    found = Translator.from_workdir(run, batch_size=8)
    assert found(ENGLISH) == GERMAN
    assert (found.task.beam_size, found.task.alpha, found.max_length) == (3, 0.6, 20)
    # Twice the longest source, and what a translation may have more.
    assert found.task.model == trained()[0].model.clone(max_length=46)


def test_options_replace_those_of_the_run(run):
    found = Translator.from_workdir(run, beam_size=1, alpha=0.0, batch_size=2, step=1)
    assert (found.task.beam_size, found.task.alpha, found.batch_size) == (1, 0.0, 2)
    assert not np.any(found.params["embedding"]["embedding"])
    with pytest.raises(ValueError, match="step must be one of 1, 2, the checkpoints .* got 3"):
        Translator.from_workdir(run, step=3)
    with pytest.raises(ValueError, match="beam_size must be at least 1, got 0"):
        Translator.from_workdir(run, beam_size=0)
    with pytest.raises(ValueError, match="alpha must be a number of at least 0, got -1"):
        Translator.from_workdir(run, alpha=-1.0)


def test_newest_config_counts(run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    for number, beam_size in ((2, 5), (10, 7), (9, 6)):
        config = {**CONFIG, "beam_size": beam_size}
        (folder / f"config.{number}.json").write_text(json.dumps(config))
    assert Translator.from_workdir(folder).task.beam_size == 7


def test_neither_order_nor_neighbours_change_a_translation(translator):
    sentences = ["", LONG, *ENGLISH, "  ", "a dog sleeps", LONG]
    together = translator(sentences)
    assert together[0] == together[8] == ""
    assert together[2:8] == GERMAN
    assert together[1] == together[10] != ""
    assert translator(sentences[::-1]) == together[::-1]
    assert [translator([sentence])[0] for sentence in sentences] == together


def test_equals_the_search_of_the_task(translator):
    task = translator.task
    (source,) = task.tokenizer.encode([LONG])
    assert len(source) == 18
    expected = jax.jit(task.translate)(trained()[1], source[None]).tokens[0, 0]
    assert translator([LONG]) == [task.tokenizer.decode(np.asarray(expected))]


def test_few_programs_serve_all_lengths(translator):
    words = LONG.split()
    sentences = [" ".join(words[:n]) for n in range(1, len(words) + 1)]
    for number in (2, 5, 7, len(words)):
        translator(sentences[:number])
    for sentence in sentences:
        translator([sentence])
    # Of up to 16 tokens and of more; for many sentences and for one.
    assert translator._best._cache_size() == 4


def test_nothing_to_translate(translator):
    programs = translator._best._cache_size()
    assert translator([]) == []
    assert translator(["", " \t", "\u3000"]) == ["", "", ""]
    assert translator._best._cache_size() == programs


def test_long_sentences_are_refused_or_cut(translator):
    task, _ = trained()
    longer = [LONG, f"{LONG} and a cat", "a cat", f"{LONG} and a dog runs"]
    with pytest.raises(ValueError, match="at most 20 tokens, got number 2 and others, which are"):
        translator(longer)
    told = []
    found = translator(longer, on_long=told.append)
    assert told == [[1, 3]]
    assert found[2] == "eine Katze"
    kept = task.tokenizer.decode(task.tokenizer.encode([longer[1]])[0][:19])
    assert found[1] == translator([kept])[0] != ""


def test_progress_is_told_after_each_batch(translator):
    told = []
    translator(["", *ENGLISH], progress=told.append)
    assert told == [5, 7]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(max_length=1), "max_length must be at least 2, got 1"),
        (dict(batch_size=0), "batch_size must be at least 1, got 0"),
    ],
)
def test_wrong_numbers_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        Translator(*trained(), **options)


def test_tokenizer_of_another_vocabulary_is_refused(run, tmp_path):
    other = SubwordTokenizer.train(ENGLISH, 270)
    write_run(tmp_path, tokenizer=other, steps=(1,))
    rows = trained()[0].tokenizer.vocabulary_size
    with pytest.raises(ValueError, match=f"have the {rows} subwords .*, got one of 270"):
        Translator.from_workdir(tmp_path)


def test_folder_that_is_no_run_of_a_translator(run, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(FileNotFoundError, match="run holds no config.json; expected the work"):
        Translator.from_workdir(folder)
    shutil.copytree(run, folder)
    (folder / "config.2.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.2\.json is not valid JSON"):
        Translator.from_workdir(folder)
    (folder / "config.2.json").write_text("[3]")
    with pytest.raises(ValueError, match=r"config\.2\.json must hold a config .* got \[3\]"):
        Translator.from_workdir(folder)
    detector = {"variant": "nano", "dtype": "auto", "data": {"path": "a"}}
    (folder / "config.2.json").write_text(json.dumps(detector))
    with pytest.raises(ValueError, match="a run of configs/transformer.* has no max_length"):
        Translator.from_workdir(folder)
    (folder / "config.2.json").unlink()
    shutil.rmtree(folder / "checkpoints")
    with pytest.raises(FileNotFoundError, match="run/checkpoints holds no checkpoints"):
        Translator.from_workdir(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(DataError, match="cannot read the tokenizer .*run/tokenizer.json"):
        Translator.from_workdir(folder)


def layer_norm(x, norm):
    x = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
    return x * norm["scale"] + norm["bias"]


def attend(x, memory, layer, mask=None):
    """Returns one attention's output and weights [heads, T, S], head by head."""
    outputs, weights = 0.0, []
    for h in range(layer["query"]["kernel"].shape[1]):
        q, k, v = (
            y @ layer[name]["kernel"][:, h] + layer[name]["bias"][h]
            for y, name in ((x, "query"), (memory, "key"), (memory, "value"))
        )
        scores = q @ k.T / np.sqrt(q.shape[1])
        if mask is not None:
            scores = np.where(mask, scores, -np.inf)
        share = np.exp(scores - scores.max(axis=1, keepdims=True))
        weights.append(share / share.sum(axis=1, keepdims=True))
        outputs = outputs + weights[-1] @ v @ layer["out"]["kernel"][h]
    return outputs + layer["out"]["bias"], np.stack(weights)


def feed_forward(x, layer):
    hidden = np.maximum(x @ layer["expand"]["kernel"] + layer["expand"]["bias"], 0)
    return hidden @ layer["reduce"]["kernel"] + layer["reduce"]["bias"]


def attention_by_hand(params, source, target):
    """Computes the cross-attention of both layers in numpy."""
    table = np.asarray(params["embedding"]["embedding"], np.float64)
    codes = sinusoidal_positions(64, table.shape[1])
    x, y = (
        table[tokens] * np.sqrt(table.shape[1]) + codes[: len(tokens)]
        for tokens in (source, [START, *target[:-1]])
    )
    layer = params["stacks"]["encoder"]["layer1"]
    x = layer_norm(x + attend(x, x, layer["attention"])[0], layer["attention_norm"])
    x = layer_norm(x + feed_forward(x, layer["feed_forward"]), layer["feed_forward_norm"])
    found = []
    for name in ("layer1", "layer2"):
        layer = params["stacks"]["decoder"][name]
        before = attend(y, y, layer["attention"], np.tri(len(y), dtype=bool))[0]
        y = layer_norm(y + before, layer["attention_norm"])
        cross, weights = attend(y, x, layer["cross_attention"])
        y = layer_norm(y + cross, layer["cross_attention_norm"])
        y = layer_norm(y + feed_forward(y, layer["feed_forward"]), layer["feed_forward_norm"])
        found.append(weights)
    return found


def test_attention_equals_one_computed_by_hand(translator):
    task, params = trained()
    source, target = task.tokenizer.encode([ENGLISH[1], GERMAN[1]])
    expected = attention_by_hand(params, source, target)
    found = translator.attention(ENGLISH[1])
    assert found.source[-1] == found.target[-1] == "</s>"
    assert "".join(found.target[:-1]).replace("·", "") == "zweiHunderennen"
    assert found.weights.shape == (len(found.target), len(found.source))
    np.testing.assert_allclose(found.weights.sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(found.weights, expected[1].mean(axis=0), atol=1e-5)
    for layer, head in ((0, 0), (0, 3), (1, 2)):
        chosen = translator.attention(ENGLISH[1], layer=layer, head=head).weights
        np.testing.assert_allclose(chosen, expected[layer][head], atol=1e-5)
    # The same translation, given.
    given = translator.attention(ENGLISH[1], GERMAN[1])
    np.testing.assert_array_equal(given.weights, found.weights)
    other = translator.attention(ENGLISH[1], GERMAN[5])
    assert other.target != found.target


def test_evaluation_tells_the_same_attention(translator):
    task, params = translator.task, trained()[1]
    encoded = task.tokenizer.encode(ENGLISH[:3])
    source = np.full((3, 16), PAD, np.int32)
    for row, tokens in zip(source, encoded, strict=True):
        row[: len(tokens)] = tokens
    found = jax.jit(task.predict)(params, {}, {"source": source, "target": source})
    assert len(found.attention) == 2
    for i in range(2):
        rows = list(np.asarray(found.tokens[i])).index(END) + 1
        weights = translator.attention(ENGLISH[i]).weights
        shown = found.attention[i, :rows, : len(encoded[i])]
        np.testing.assert_allclose(shown, weights, atol=1e-5)
        assert not np.any(found.attention[i, :, len(encoded[i]) :])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(layer=2), r"layer must be in \[-2, 2\), got 2"),
        (dict(layer=-3), r"layer must be in \[-2, 2\), got -3"),
        (dict(head=4), r"head must be in \[0, 4\), got 4"),
        (dict(translation=" ".join(2 * GERMAN)), "translation must be of at most 22 tokens"),
    ],
)
def test_attention_that_there_is_not(translator, options, words):
    with pytest.raises(ValueError, match=words):
        translator.attention("a cat", **options)


def test_attention_of_long_and_empty_sentences(translator):
    assert translator.attention(f"{LONG} and a dog").weights.shape[1] == 20
    assert translator.attention("").weights.shape[1] == 1
