import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import apply, init

from jaxvision import models
from jaxvision.data.text.tokenizer import SubwordTokenizer
from jaxvision.tasks.translation import Translation

WORDS = 270
SOURCE = np.array([[7, 8, 9, 2], [5, 2, 0, 0]], np.int32)
TARGET = np.array([[1, 4, 6], [1, 9, 3]], np.int32)


@pytest.fixture(scope="module")
def network():
    model = models.seq2seq("seq2seq", vocabulary_size=WORDS, features=12)
    variables = init(model, jax.random.key(0), SOURCE, TARGET, train=False)
    return model, jax.tree.map(lambda x: 4 * x, variables)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_first_token_is_that_of_the_paper_in_numpy(network):
    model, variables = network
    p = jax.tree.map(lambda x: np.asarray(x, np.float64), variables["params"])
    table = p["embedding"]["embedding"]

    def gru(layer, x, h):
        gates = x @ layer["input"]["kernel"] + layer["input"]["bias"]
        back = h @ layer["recurrent"]["kernel"] + layer["recurrent"]["bias"]
        (r, z, n), (br, bz, bn) = np.split(gates, 3), np.split(back, 3)
        z = sigmoid(z + bz)
        return (1 - z) * np.tanh(n + sigmoid(r + br) * bn) + z * h

    states = {"layer1": [], "layer1_reverse": []}
    for name, order in (("layer1", [0, 1, 2, 3]), ("layer1_reverse", [3, 2, 1, 0])):
        h = np.zeros(12)
        for i in order:
            h = gru(p["encoder"][name], table[SOURCE[0, i]], h)
            states[name].append(h)
    backward = states["layer1_reverse"][::-1]
    values = np.concatenate([states["layer1"], backward], axis=1)
    s = np.tanh(backward[0] @ p["start"]["kernel"] + p["start"]["bias"])
    own = p["decoder"]
    scores = np.tanh(s @ own["query"]["kernel"] + values @ p["keys"]["kernel"])
    scores = (scores @ own["score"]["kernel"])[:, 0]
    weights = np.exp(scores) / np.exp(scores).sum()
    context = weights @ values
    token = table[TARGET[0, 0]]
    s = gru(own, np.concatenate([token, context]), s)
    read = np.concatenate([s, context, token]) @ p["readout"]["kernel"] + p["readout"]["bias"]
    logits = np.tanh(read) @ table.T
    found = np.asarray(apply(model, variables, SOURCE, TARGET, train=False))[0, 0]
    np.testing.assert_allclose(found, logits, rtol=1e-4, atol=1e-4)


def test_padding_changes_nothing(network):
    model, variables = network
    found = np.asarray(apply(model, variables, SOURCE, TARGET, train=False))[1]
    alone = np.asarray(apply(model, variables, SOURCE[1:, :2], TARGET[1:], train=False))[0]
    np.testing.assert_allclose(found, alone, rtol=1e-5, atol=1e-5)
    empty = apply(model, variables, np.zeros((1, 4), np.int32), TARGET[:1], train=False)
    assert np.isfinite(empty).all()


def test_steps_of_two_hypotheses_are_the_whole_pass(network):
    model, variables = network
    expected = np.asarray(apply(model, variables, SOURCE, TARGET, train=False))
    memory = apply(model, variables, SOURCE, method="encode")
    cache = model.apply(variables, 4, 3, method="empty_cache")
    step = jax.jit(functools.partial(model.apply, method="step"))
    for position in range(3):
        tokens = np.repeat(TARGET[:, position], 2)
        logits, cache = step(variables, tokens, jnp.int32(position), memory, cache)
        both = np.repeat(expected[:, position], 2, axis=0)
        np.testing.assert_allclose(logits, both, rtol=1e-4, atol=1e-5)


def test_packed_rows_are_an_error(network):
    model, variables = network
    with pytest.raises(ValueError, match=r"data.packing must be False for seq2seq"):
        model.apply(variables, SOURCE, TARGET, SOURCE > 0, TARGET > 0, train=False)


def test_translation_searches_and_looks_at_the_source(network):
    model, variables = network
    tokenizer = SubwordTokenizer.train(["two dogs", "zwei Hunde"], WORDS)
    task = Translation(model, tokenizer, beam_size=2, extra_length=2)
    found = jax.jit(task.translate)(variables["params"], jnp.asarray(SOURCE))
    assert found.tokens.shape == (2, 2, 6)
    weights = task.cross_attention(variables["params"], jnp.asarray(SOURCE), jnp.asarray(TARGET))
    assert weights.shape == (1, 2, 1, 3, 4)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
    assert (np.asarray(weights)[0, 1, 0, :, 2:] == 0).all()
