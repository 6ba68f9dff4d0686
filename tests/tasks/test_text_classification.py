import jax
import numpy as np
import pytest

from jaxvision import models
from jaxvision.data.text.word_tokenizer import WordTokenizer
from jaxvision.tasks.text_classification import TextClassification

TOKENIZER = WordTokenizer.train(["it 's a good film , good !"], 20)


def task_of(**options):
    model = models.text_classifier(
        "bilstm_text",
        vocabulary_size=TOKENIZER.vocabulary_size,
        num_classes=3,
        embedding=4,
        features=5,
        dropout_rate=0.0,
    )
    return TextClassification(model, TOKENIZER, ("a", "b", "c"), **options)


@pytest.fixture(scope="module")
def given():
    rng = np.random.default_rng(0)
    batch = {
        "tokens": rng.integers(0, TOKENIZER.vocabulary_size, (4, 6)).astype(np.int32),
        "length": np.array([6, 2, 4, 1], np.int32),
        "label": np.array([2, 0, 1, 1], np.int32),
        "index": np.arange(4, dtype=np.int32),
    }
    task = task_of()
    return task, task.init(jax.random.key(0), batch), batch


def test_texts_are_encoded_as_in_training():
    words = [TOKENIZER.tokens[i] for i in task_of().encode("Good, good film\n or what?")]
    assert words == ["good", ",", "good", "film", "<unk>", "<unk>", "<unk>"]
    cased = task_of(lower=False).encode("Good good")
    assert [TOKENIZER.tokens[i] for i in cased] == ["<unk>", "good"]
    assert len(task_of(max_length=3).encode("a b c d e")) == 3
    assert task_of().encode(" \n").shape == (0,)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_loss_is_the_mean_cross_entropy(given, smoothing):
    _, (params, state), batch = given
    task = task_of(label_smoothing=smoothing)
    found = task.loss(params, state, batch, step=0, key=jax.random.key(0))
    probabilities = np.asarray(task.predict(params, state, batch, key=jax.random.key(0)))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    targets = (1 - smoothing) * np.eye(3)[batch["label"]] + smoothing / 3
    expected = -(targets * np.log(probabilities)).sum(axis=1).mean()
    np.testing.assert_allclose(found.value, expected, rtol=1e-5)
    right = (probabilities.argmax(axis=1) == batch["label"]).mean()
    np.testing.assert_allclose(found.logs["accuracy"], right)


def test_rows_of_padding_are_not_measured(given):
    task, _, batch = given
    probabilities = np.eye(3, dtype=np.float32)[[2, 0, 0, 0]]
    mask = np.array([True, True, True, False])
    metric = task.measure(probabilities, {**batch, "mask": mask})
    assert metric.compute()["accuracy"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(max_length=0), "max_length must be in"),
        (dict(label_smoothing=float("nan")), "label_smoothing must be in"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        task_of(**options)
