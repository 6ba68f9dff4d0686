import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxvision import models
from jaxvision.data.text.parallel import ParallelText
from jaxvision.data.text.tokenizer import END, PAD, START, SubwordTokenizer
from jaxvision.data.translation import eval_stream, train_stream
from jaxvision.tasks.translation import Translation
from jaxvision.train.state import TrainState
from jaxvision.train.step import make_step

ENGLISH = ["one dog", "two dogs run", "a cat", "the cat sleeps", "a man", "one man and a dog"]
GERMAN = ["ein Hund", "zwei Hunde rennen", "eine Katze", "die Katze schläft", "ein Mann"]
GERMAN += ["ein Mann und ein Hund"]

# What is compiled here runs for milliseconds.
jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


@pytest.fixture(scope="module")
def small():
    """Returns a task, a batch of training and one of evaluation, and fresh parameters."""
    tokenizer = SubwordTokenizer.train(ENGLISH + GERMAN, 320)
    model = models.transformer(
        "tiny",
        vocabulary_size=tokenizer.vocabulary_size,
        features=32,
        hidden=64,
        num_layers=(1, 1),
        dropout_rate=0.0,
    )
    task = Translation(model, tokenizer, beam_size=3, extra_length=6)
    text = ParallelText(ENGLISH, GERMAN, str)
    train = train_stream(text, tokenizer, batch_tokens=256, buckets=1)
    (eval_batch,) = eval_stream(text, tokenizer, batch_size=8, buckets=1)
    batch = next(train.batches(0))
    params, state = jit(task.init)(jax.random.key(0), batch)
    assert state == {}
    return task, batch, eval_batch, params


@pytest.fixture(scope="module")
def trained(small):
    task, batch, _, params = small
    optimizer = optax.adam(3e-3)
    state = TrainState(jnp.zeros((), jnp.int32), params, {}, optimizer.init(params), None)
    step = jit(make_step(task, optimizer, None))
    logs = []
    for _ in range(150):
        state, log = step(state, batch, jax.random.key(1))
        logs.append(log)
    return state.params, logs


def predict(task, params, batch):
    """Predicts as an evaluation does, which keeps `truth` from the devices."""
    arrays = {name: value for name, value in batch.items() if name != "truth"}
    key = jax.random.key(0)
    return jax.device_get(jit(task.predict)(params, {}, arrays, key=key))


def test_learns_six_sentences_by_heart(small, trained):
    task, batch, eval_batch, _ = small
    params, logs = trained
    assert float(logs[-1]["token_accuracy"]) == 1.0
    assert float(logs[-1]["perplexity"]) < 1.3 < float(logs[0]["perplexity"])
    assert int(logs[0]["target_tokens"]) == (batch["target"] != PAD).sum()
    predicted = predict(task, params, eval_batch)
    found = task.measure(predicted, eval_batch).compute()
    assert found["bleu"] == pytest.approx(100)
    assert found["token_accuracy"] == 1.0
    for row, i in enumerate(eval_batch["index"][eval_batch["mask"]]):
        assert task.tokenizer.decode(predicted.tokens[row]) == GERMAN[i]


def test_greedy_search_finds_what_was_learned(small, trained):
    task, _, eval_batch, _ = small
    task = dataclasses.replace(task, beam_size=1)
    found = jit(task.translate)(trained[0], eval_batch["source"])
    assert found.tokens.shape[:2] == (8, 1)
    texts = [task.tokenizer.decode(row) for row in np.asarray(found.tokens[:, 0])]
    expected = [GERMAN[i] for i in eval_batch["index"]]
    assert texts[:6] == expected[:6]


def test_translations_of_a_fresh_model_end_and_have_no_special_token(small):
    task, _, eval_batch, params = small
    found = jit(task.translate)(params, eval_batch["source"])
    for row, sentence in zip(np.asarray(found.tokens), eval_batch["source"], strict=True):
        limit = max((sentence != PAD).sum() + 6, 1) if sentence.any() else 1
        for tokens in row[:1]:
            length = list(tokens).index(END) + 1
            assert length <= limit
            assert not np.isin(tokens[:length], (PAD, START)).any()
            assert (tokens[length:] == PAD).all()


def test_loss_is_the_mean_over_the_targets_tokens(small):
    task, batch, _, params = small

    def loss(batch):
        return task.loss(params, {}, batch, step=jnp.zeros(()), key=jax.random.key(0))

    value = jit(loss)(batch).value
    inputs = np.concatenate([np.full((len(batch["target"]), 1), START), batch["target"]], axis=1)
    logits = jit(lambda *x: task.model.apply({"params": params}, *x, train=False))(
        batch["source"], inputs[:, :-1].astype(np.int32)
    )
    logs = np.asarray(jax.nn.log_softmax(logits), np.float64)
    terms = [
        -0.9 * logs[b, t, token] - 0.1 * logs[b, t].mean()
        for (b, t), token in np.ndenumerate(batch["target"])
        if token != PAD
    ]
    np.testing.assert_allclose(value, np.mean(terms), rtol=1e-5)
    # Rows and columns of padding change nothing.
    wider = {
        "source": np.pad(batch["source"], ((0, 8), (0, 0))),
        "target": np.pad(batch["target"], ((0, 8), (0, 3))),
        "index": np.pad(batch["index"], (0, 8), constant_values=-1),
    }
    np.testing.assert_allclose(jit(loss)(wider).value, value, rtol=1e-5)


def test_packed_pairs_have_the_loss_and_the_gradient_of_pairs_alone(small):
    task, batch, _, params = small
    target = task.tokenizer.encode(GERMAN)
    text = ParallelText(ENGLISH, GERMAN, str)
    train = train_stream(text, task.tokenizer, batch_tokens=8 * 40, packing=True, max_length=40)
    assert train.steps_per_epoch == 1
    packed = next(train.batches(0))
    assert (packed["index"] >= 0).sum(axis=1).max() > 1

    def loss(params, batch):
        found = task.loss(params, {}, batch, step=jnp.zeros(()), key=jax.random.key(0))
        return found.value, found.logs

    step = jit(jax.value_and_grad(loss, has_aux=True))
    (value, logs), gradient = step(params, batch)
    (packed_value, packed_logs), packed_gradient = step(params, packed)
    np.testing.assert_allclose(packed_value, value, rtol=1e-5)
    assert packed_logs["target_tokens"] == logs["target_tokens"] == sum(map(len, target))
    for name in logs:
        np.testing.assert_allclose(packed_logs[name], logs[name], rtol=1e-5)
    for one, two in zip(jax.tree.leaves(packed_gradient), jax.tree.leaves(gradient), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)
    largest = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(gradient))
    assert largest > 1e-2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(beam_size=0), "beam_size must be in \\[1, 1024\\], got 0"),
        (dict(alpha=float("nan")), "alpha must be at least 0, got nan"),
        (dict(label_smoothing=1.0), r"label_smoothing must be in \[0, 1\), got 1.0"),
        (dict(model=models.transformer("tiny", vocabulary_size=7)), "that of the tokenizer.*got 7"),
    ],
)
def test_wrong_options_are_refused(small, changes, words):
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(small[0], **changes)
