import dataclasses
import gzip
import json

import jax
import numpy as np
import pytest
import toy_translation
from toy_translation import ENGLISH, GERMAN, trained, write_run

from jaxvision.data.text.tokenizer import END, PAD, START, SubwordTokenizer
from jaxvision.inference.load import load
from jaxvision.inference.translator import Translator
from jaxvision.models.sequence.embedding import sinusoidal_positions
from jaxvision.plots.style import to_rgb

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
    return Translator(greedy, {"params": params}, max_length=20, batch_size=4)


def texts(found):
    return [one.text for one in found]


def test_run_translates_what_it_learned(run):
    found = load(run)
    assert isinstance(found, Translator)
    assert texts(found(ENGLISH)) == GERMAN
    assert (found.task.beam_size, found.task.alpha, found.max_length) == (3, 0.6, 20)
    assert (found.batch_size, found.origin.step) == (64, 2)
    # Twice the longest source, and what a translation may have more.
    assert found.task.model == trained()[0].model.clone(max_length=46)


def test_options_of_the_search_can_be_replaced(run):
    whole = load(run, step=1)
    found = whole.replaced(beam_size=1, alpha=0.0, batch_size=2)
    assert (found.task.beam_size, found.task.alpha, found.batch_size) == (1, 0.0, 2)
    assert found.origin is whole.origin and found.origin.step == 1
    assert not np.any(found.params["embedding"]["embedding"])
    same = whole.replaced()
    assert (same.task, same.batch_size, same.max_length) == (whole.task, 64, 20)
    with pytest.raises(ValueError, match=r"beam_size must be in \[1, 1024\], got 0"):
        whole.replaced(beam_size=0)
    with pytest.raises(ValueError, match="alpha must be at least 0, got -1"):
        whole.replaced(alpha=-1.0)


def test_sentence_list_and_file(translator, tmp_path):
    assert translator("a cat").text == str(translator("a cat")) == "eine Katze"
    (tmp_path / "a.en").write_text("a cat\n\na man\n")
    (tmp_path / "a.en.gz").write_bytes(gzip.compress(b"a cat\n\na man\n"))
    for path in (tmp_path / "a.en", tmp_path / "a.en.gz"):
        assert texts(translator(path)) == ["eine Katze", "", "ein Mann"]


def test_result_is_json_and_a_picture(translator):
    found = translator("a cat")
    task = translator.task
    (source,) = task.tokenizer.encode(["a cat"])
    source = np.pad(source, (0, 16 - len(source)), constant_values=PAD)
    expected = jax.jit(task.translate)(trained()[1], source[None]).scores[0, 0]
    result = json.loads(json.dumps(found.to_dict()))
    assert result.pop("score") == pytest.approx(float(expected), rel=1e-4)
    assert result == {"source": "a cat", "text": "eine Katze"}
    picture = found.plot(layer=0, head=1)
    attention = translator.attention("a cat", layer=0, head=1)
    np.testing.assert_array_equal(picture, to_rgb(attention.figure()))


def test_neither_order_nor_neighbours_change_a_translation(translator):
    sentences = ["", LONG, *ENGLISH, "  ", "a dog sleeps", LONG]
    together = texts(translator(sentences))
    assert together[0] == together[8] == ""
    assert together[2:8] == GERMAN
    assert together[1] == together[10] != ""
    assert texts(translator(sentences[::-1])) == together[::-1]
    assert [translator(sentence).text for sentence in sentences] == together


def test_equals_the_search_of_the_task(translator):
    task = translator.task
    (source,) = task.tokenizer.encode([LONG])
    assert len(source) == 18
    expected = jax.jit(task.translate)(trained()[1], source[None]).tokens[0, 0]
    assert texts(translator([LONG])) == [task.tokenizer.decode(np.asarray(expected))]


def test_few_programs_serve_all_lengths(translator):
    words = LONG.split()
    sentences = [" ".join(words[:n]) for n in range(1, len(words) + 1)]
    for number in (2, 5, 7, len(words)):
        translator(sentences[:number])
    for sentence in sentences:
        translator([sentence])
    # Of up to 16 tokens and of more; for many sentences and for one.
    assert translator._translate._cache_size() == 4


def test_nothing_to_translate(translator):
    programs = translator._translate._cache_size()
    assert translator([]) == []
    assert texts(translator(["", " \t", "\u3000"])) == ["", "", ""]
    assert translator._translate._cache_size() == programs


def test_long_sentences_are_an_error_or_cut(translator):
    task, _ = trained()
    longer = [LONG, f"{LONG} and a cat", "a cat", f"{LONG} and a dog runs"]
    with pytest.raises(ValueError, match="at most 20 tokens, got number 2 and others, which have"):
        translator(longer)
    numbers = []
    found = texts(translator(longer, on_long=numbers.append))
    assert numbers == [[1, 3]]
    assert found[2] == "eine Katze"
    kept = task.tokenizer.decode(task.tokenizer.encode([longer[1]])[0][:19])
    assert found[1] == translator(kept).text != ""


def test_progress_is_called_after_each_batch(translator):
    done = []
    translator(["", *ENGLISH], progress=done.append)
    assert done == [5, 7]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(max_length=1), "max_length must be at least 2, got 1"),
        (dict(batch_size=0), "batch_size must be at least 1, got 0"),
    ],
)
def test_wrong_numbers_are_errors(options, words):
    with pytest.raises(ValueError, match=words):
        Translator(trained()[0], {"params": trained()[1]}, **options)


def test_tokenizer_of_another_vocabulary_is_an_error(tmp_path):
    other = SubwordTokenizer.train(ENGLISH, 270)
    write_run(tmp_path, tokenizer=other, steps=(1,))
    rows = trained()[0].tokenizer.vocabulary_size
    with pytest.raises(ValueError, match=f"have the {rows} subwords .*, got one of 270"):
        load(tmp_path)


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
    found = jax.jit(task.predict)(
        params, {}, {"source": source, "target": source}, key=jax.random.key(0)
    )
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
