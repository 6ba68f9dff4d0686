import functools

import jax
import network
import numpy as np
from flax import linen as nn

from jaxvision import models

jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def run(model, x, valid=None):
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), x, train=False))
    variables = network.filled(shapes)
    return variables, jit(lambda v: model.apply(v, x, valid=valid, train=False))(variables)


def sequences(rows=2, length=5):
    return np.random.default_rng(0).normal(size=(rows, length, 3)).astype(np.float32)


def test_both_directions_read_padded_sequences_as_alone():
    model = models.recurrent("lstm", features=4, bidirectional=True)
    x = sequences()
    valid = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
    _, (output, carry) = run(model, x, valid)
    _, (alone, last) = run(model, x[:1, :3])
    assert output.shape == (2, 5, 8) and len(carry) == 4
    np.testing.assert_allclose(output[:1, :3], alone, atol=1e-6)
    assert not output[0, 3:].any()
    for one, other in zip(jax.tree.leaves(carry), jax.tree.leaves(last), strict=True):
        np.testing.assert_allclose(one[:1], other, atol=1e-6)
    # The last outputs of the two directions are those of the last and of the first step.
    np.testing.assert_allclose(carry[2][0], np.stack([output[0, 2, :4], output[1, 4, :4]]))
    np.testing.assert_allclose(carry[3][0], output[:, 0, 4:])


def test_gru_of_cho_resets_before_the_product():
    model = models.recurrent("gru", features=4, num_layers=1, reset_after=False)
    x = sequences(rows=1, length=2)
    variables, (output, _) = run(model, x)
    layer = variables["params"]["layer1"]
    h = np.zeros(4)
    for t in range(2):
        r, z, n = np.split(x[0, t] @ layer["input"]["kernel"] + layer["input"]["bias"], 3)
        ur, uz, un = np.split(np.asarray(layer["recurrent"]["kernel"]), 3, axis=1)
        br, bz, bn = np.split(np.asarray(layer["recurrent"]["bias"]), 3)
        r, z = nn.sigmoid(r + h @ ur + br), nn.sigmoid(z + h @ uz + bz)
        h = (1 - z) * np.tanh(n + (r * h) @ un + bn) + z * h
        np.testing.assert_allclose(output[0, t], h, atol=1e-6)


def test_dropout_is_between_layers_alone():
    x = sequences()
    for layers, changes in ((1, False), (2, True)):
        model = models.recurrent("rnn_tanh", features=4, num_layers=layers, dropout_rate=0.5)
        variables, (output, _) = run(model, x)
        found, _ = jit(
            lambda v, key, model=model: model.apply(v, x, train=True, rngs={"dropout": key})
        )(variables, jax.random.key(1))
        assert bool((found != output).any()) == changes
