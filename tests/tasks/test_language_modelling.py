import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxvision import models
from jaxvision.data.errors import DataError
from jaxvision.data.language import Tokens, eval_stream, train_stream
from jaxvision.data.text.word_tokenizer import END_OF_LINE_ID, UNKNOWN_ID, WordTokenizer
from jaxvision.inference.text_generator import TextGenerator
from jaxvision.tasks.language_modelling import CARRY, LanguageModelling

TOKENIZER = WordTokenizer.train(["a b c d e f"], 6)
RNG = np.random.default_rng(0)
TEXT = Tokens(RNG.integers(1, 8, 47).astype(np.int32), "text")


def small(variant="lstm_lm", **options):
    fields = dict(features=12) if variant.endswith("_lm") else dict(max_length=16)
    model = models.language_model(variant, vocabulary_size=8, **fields)
    return LanguageModelling(model, TOKENIZER, **options)


@pytest.fixture(scope="module")
def lstm():
    task = small(window=4, sum_over_steps=True)
    batch = next(train_stream(TEXT, batch_size=2, window=4, shifted=False).batches())
    params, _ = jax.jit(task.init)(jax.random.key(0), batch)
    return task, jax.tree.map(lambda x: 8 * x, params)


def nats(task, params, tokens, before=END_OF_LINE_ID):
    """Of each token, read as one sequence behind another token."""
    # Tokens behind the last one, which is read, change nothing: few lengths are compiled.
    inputs, targets = np.pad([[before, *tokens[:-1]], tokens], ((0, 0), (0, -len(tokens) % 16)))
    return np.asarray(_nats(task.model, params, inputs, targets))[: len(tokens)]


@functools.partial(jax.jit, static_argnums=0)
def _nats(model, params, inputs, targets):
    logits = model.apply({"params": params}, inputs[None], train=False)[0]
    return optax.softmax_cross_entropy_with_integer_labels(logits, targets)


def test_batches_of_an_epoch_are_read_as_whole_lanes(lstm):
    task, params = lstm
    stream = train_stream(TEXT, batch_size=2, window=4, shifted=False)
    assert stream.steps_per_epoch == 5
    lanes = [nats(task, params, TEXT.tokens[:20])]
    lanes += [nats(task, params, TEXT.tokens[23:43], before=TEXT.tokens[22])]
    expected = np.stack(lanes).reshape(2, 5, 4).sum(axis=2).mean(axis=0)
    batches = stream.batches()
    _, state = jax.jit(task.init)(jax.random.key(0), next(stream.batches()))
    loss = jax.jit(task.loss)
    assert jax.tree.leaves(state[CARRY])[0].shape == (2, 12)
    for step in range(10):  # the second epoch begins anew
        found = loss(params, state, next(batches), step=jnp.int32(step), key=jax.random.key(0))
        state = found.state
        np.testing.assert_allclose(found.value, expected[step % 5], rtol=1e-5)


def test_shifted_windows_cover_other_borders_in_each_epoch():
    stream = train_stream(TEXT, batch_size=2, window=4, shifted=True)
    batches = stream.batches()
    assert stream.steps_per_epoch == 5
    starts = [next(batches)["index"][0] for _ in range(6 * 5)][::5]
    assert len(set(starts)) > 1 and max(starts) < 4


@pytest.mark.parametrize("rows", [1, 3])
def test_evaluation_counts_each_token_once(lstm, rows):
    task, params = lstm
    (batch,) = list(eval_stream(TEXT, batch_size=rows, window=4, context=0))
    length = batch["targets"].shape[1]
    assert length % 4 == 0 and batch["valid"].sum() == 47
    found = jax.jit(task.predict)(params, {}, batch, key=jax.random.key(0))
    metric = task.measure(jax.tree.map(np.asarray, found), batch)
    expected = 0.0
    for start in range(0, 47, length):
        before = TEXT.tokens[start - 1] if start else END_OF_LINE_ID
        expected += nats(task, params, TEXT.tokens[start : start + length], before).sum()
    assert metric.tokens == 47
    np.testing.assert_allclose(metric.negative_log_likelihood, expected, rtol=1e-5)
    np.testing.assert_allclose(metric.compute()["perplexity"], np.exp(expected / 47), rtol=1e-5)


def test_networks_without_a_carry_see_the_tokens_before_a_window_again():
    task = small("gpt2_tiny", window=4, context=3)
    (batch,) = list(eval_stream(TEXT, batch_size=2, window=4, context=3))
    params, state = jax.jit(task.init)(jax.random.key(1), batch)
    assert state == {}
    found = jax.jit(task.predict)(params, {}, batch, key=jax.random.key(0))
    padded = np.concatenate([np.full(4, END_OF_LINE_ID), TEXT.tokens])
    expected = 0.0
    for start in range(0, 47, 4):
        shown = padded[start : start + 8]  # of which the last four are asked for
        expected += nats(task, params, shown[1:], before=shown[0])[3:].sum()
    assert int(found.tokens.sum()) == 47
    np.testing.assert_allclose(found.negative_log_likelihood.sum(), expected, rtol=1e-5)


@pytest.mark.parametrize("variant", ["lstm_lm", "gru_lm", "gpt2_tiny"])
def test_generated_text_is_that_without_a_cache(variant):
    task = small(variant, window=4)
    batch = {"inputs": np.zeros((1, 4), np.int32)}
    params, _ = jax.jit(task.init)(jax.random.key(2), batch)
    params = jax.tree.map(lambda x: 8 * x, params)
    model = TextGenerator(task, {"params": params})
    prompts, length = ["a b c", "d"], 8
    found = model.replaced(temperature=0.0, length=length)(prompts)
    # Tokens behind the last one, which is read, change nothing.
    apply = jax.jit(lambda tokens: task.model.apply({"params": params}, tokens, train=False))
    for prompt, result in zip(prompts, found, strict=True):
        tokens = [END_OF_LINE_ID, *TOKENIZER.encode(prompt)]
        given = len(tokens)
        for _ in range(length):
            padded = np.pad(tokens, (0, 16 - len(tokens)))
            logits = np.array(apply(padded[None]))[0, len(tokens) - 1]
            logits[UNKNOWN_ID] = -np.inf
            tokens.append(int(logits.argmax()))
        assert result.text == TOKENIZER.decode(tokens[given:])


def test_another_seed_and_other_options_of_a_copy_compile_nothing_anew():
    task = small(window=4)
    params, _ = task.init(jax.random.key(0), {"inputs": np.zeros((1, 4), np.int32)})
    model = TextGenerator(task, {"params": params})
    texts = {model.generate("a", seed=seed, length=6) for seed in range(8)}
    assert len(texts) > 1 and model._sample._cache_size() == 1


def test_wrong_values_are_errors():
    model = models.language_model("gpt2_tiny", vocabulary_size=8, max_length=16)
    with pytest.raises(ValueError, match="at most 16 together"):
        LanguageModelling(model, TOKENIZER, window=16, context=1)
    other = models.language_model("gpt2_tiny", vocabulary_size=9)
    with pytest.raises(ValueError, match="vocabulary_size must be that of the tokenizer, 8, got 9"):
        LanguageModelling(other, TOKENIZER)
    params = {"embedding": {"embedding": np.zeros((8, 1))}}  # refused before they are used
    generator = TextGenerator(LanguageModelling(model, TOKENIZER, window=4), {"params": params})
    with pytest.raises(ValueError, match="at most 15 tokens, the positions of the network, got 2"):
        generator.generate("a b", length=14)
    with pytest.raises(ValueError, match=r"top_p must be in .0, 1., got nan"):
        generator.replaced(top_p=float("nan"))
    with pytest.raises(DataError, match="has 47 tokens, fewer than 20 lanes of 20 need"):
        train_stream(TEXT, batch_size=20, window=20, shifted=False)
