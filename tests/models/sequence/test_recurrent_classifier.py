import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision import models
from jaxvision.models.sequence.recurrent import Recurrent
from jaxvision.models.sequence.recurrent_classifier import VARIANTS
from tests.compiled import apply, init

SIZES = dict(vocabulary_size=9, num_classes=3, embedding=4, features=5)
TOKENS = np.array([[3, 1, 4, 1, 5], [2, 7, 0, 0, 0], [6, 2, 8, 0, 0]], np.int32)
LENGTHS = np.array([5, 2, 3], np.int32)


def classifier(variant="bilstm_text", **changes):
    model = models.text_classifier(variant, **SIZES, **changes)
    variables = init(model, jax.random.key(0), TOKENS, LENGTHS, train=False)
    return model, variables


@pytest.mark.parametrize("pool", ["last", "max", "mean"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_padding_changes_nothing(variant, pool):
    model, variables = classifier(variant, pool=pool)
    whole = apply(model, variables, TOKENS, LENGTHS, train=False)
    assert whole.shape == (3, 3) and whole.dtype == jnp.float32
    for row, length in enumerate(LENGTHS):
        alone = TOKENS[row : row + 1, :length]
        found = apply(model, variables, alone, LENGTHS[row : row + 1], train=False)
        np.testing.assert_allclose(found[0], whole[row], atol=1e-6)
    other = np.where(np.arange(5) < LENGTHS[:, None], TOKENS, 8)
    np.testing.assert_array_equal(apply(model, variables, other, LENGTHS, train=False), whole)


@pytest.mark.parametrize("pool", ["last", "max", "mean"])
def test_pools_are_those_of_the_outputs(pool):
    model, variables = classifier(pool=pool, num_layers=2)
    params = variables["params"]
    embedded = params["embedding"]["embedding"][TOKENS[:1]]
    layers = Recurrent("lstm", 5, 2, bidirectional=True)
    outputs = layers.apply({"params": params["rnn"]}, embedded, train=False)[0][0]
    pooled = {
        # The backward direction ends at the first token.
        "last": np.concatenate([outputs[-1, :5], outputs[0, 5:]]),
        "max": outputs.max(axis=0),
        "mean": outputs.mean(axis=0),
    }[pool]
    expected = pooled @ params["head"]["kernel"] + params["head"]["bias"]
    found = apply(model, variables, TOKENS[:1], LENGTHS[:1], train=False)[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("pool", ["last", "max", "mean"])
def test_rows_of_padding_alone_have_finite_values_and_gradients(pool):
    model, variables = classifier(pool=pool)

    def total(variables):
        return model.apply(variables, TOKENS, jnp.zeros(3, jnp.int32), train=False).sum()

    value, gradient = jax.jit(jax.value_and_grad(total))(variables)
    expected = 3 * variables["params"]["head"]["bias"].sum()
    np.testing.assert_allclose(value, expected, atol=1e-5)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(gradient))


def test_dropout_is_for_training():
    model, variables = classifier()
    plain = apply(model, variables, TOKENS, LENGTHS, train=False)
    dropped = model.apply(
        variables, TOKENS, LENGTHS, train=True, rngs={"dropout": jax.random.key(1)}
    )
    assert np.abs(dropped - plain).max() > 1e-3


def test_number_of_parameters():
    _, variables = classifier()
    count = sum(x.size for x in jax.tree.leaves(variables))
    # Embedding; two directions with kernels of the input and of h and two biases; the last layer.
    assert count == 9 * 4 + 2 * (4 * 5 * (4 + 5) + 2 * 4 * 5) + (2 * 5 + 1) * 3


def test_wrong_fields_are_errors():
    with pytest.raises(ValueError, match="pool must be one of last, max, mean, got min"):
        classifier(pool="min")
    with pytest.raises(ValueError, match="variant must be one of .*lstm_text"):
        models.text_classifier("lstm", vocabulary_size=3, num_classes=2)
