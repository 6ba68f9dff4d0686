"""word2vec's losses, against its formulas in float64, and the windows by loops."""

import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import assert_agrees

from jaxvision.losses import word_embedding as losses


@pytest.fixture(scope="module")
def case():
    found = fill.load_case("word2vec")
    return {name: np.asarray(value) for name, value in found.items() if name != "spec"}


@pytest.fixture(scope="module")
def tables(case):
    names = ("input_vectors", "output_vectors")
    return tuple(jnp.asarray(case[name], jnp.float32) for name in names)


def weights(case):
    """One positive output and K negatives for each of B queries."""
    negatives = case["negatives"]
    ones = np.ones((len(negatives), 1, 1 + negatives.shape[1]), np.float32)
    ones[:, :, 1:] = 0
    return losses.Weights(jnp.asarray(ones), jnp.asarray(1 - ones))


def test_skip_gram_with_negatives_matches_reference(case, tables):
    rows = np.concatenate([case["context"][:, None], case["negatives"]], axis=1)

    def loss(inputs, outputs):
        queries = inputs[case["centre"]][:, None]
        return losses.embedding_loss(queries, outputs[rows], weights(case))

    value, grads = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(*tables)
    assert_agrees(value, case["sg_loss"], 1e-5)
    assert_agrees(grads[0], case["sg_grad_input"], 1e-5)
    assert_agrees(grads[1], case["sg_grad_output"], 1e-5)


def test_cbow_matches_reference_and_word2vec_c(case, tables):
    # The bag predicts what skip-gram's centre does in this case.
    mask = jnp.asarray(case["bag_mask"])[:, :, None]

    def loss(inputs, outputs, undivided=False):
        queries = losses.bags(inputs[case["bag"]], mask, undivided=undivided)
        rows = np.concatenate([case["centre"][:, None], case["negatives"]], axis=1)
        return losses.embedding_loss(queries, outputs[rows], weights(case))

    value, grads = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(*tables)
    assert_agrees(value, case["cbow_loss"], 1e-5)
    assert_agrees(grads[0], case["cbow_grad_input"], 1e-5)
    assert_agrees(grads[1], case["cbow_grad_output"], 1e-5)
    undivided = jax.jit(jax.grad(lambda x: loss(x, tables[1], undivided=True)))(tables[0])
    update = case["cbow_c_update_input"]
    sign = np.sign((update * np.asarray(undivided)).sum())
    assert_agrees(sign * undivided, update, 1e-5)


def test_windows_end_at_sentences_and_are_as_wide_as_said():
    rng = np.random.default_rng(0)
    tokens = rng.integers(-1, 5, (3, 17)).astype(np.int32)
    reach = rng.integers(1, 5, (3, 9))
    found = np.asarray(losses.windows(jnp.asarray(tokens), jnp.asarray(reach)))
    for g, place, centre in np.ndindex(3, 17, 9):
        middle = centre + 4
        low, high = sorted((place, middle))
        wanted = 0 < high - low <= reach[g, centre] and (tokens[g, low : high + 1] >= 0).all()
        assert found[g, place, centre] == wanted


def test_noise_equal_to_the_centre_does_not_count():
    pairs = jnp.ones((2, 3), bool)
    noise = jnp.asarray([7, 8, 9, 9])
    found = losses.sampled_weights(pairs, jnp.asarray([7, 9, 5]), noise, 5)
    # Each of three pairs of a query has 5 / 4 of each noise word but its own centre.
    assert np.allclose(found.negative[:, 3:], np.array([[2, 3, 2, 2]] * 2) * 5 / 4)
    assert not found.negative[:, :3].any() and not found.positive[:, 3:].any()


@pytest.mark.parametrize("size", [6, 100])
def test_steps_that_would_overshoot_are_shortened(size):
    rows, curvature = jnp.asarray([4, 5, 4]), jnp.asarray([30.0, 1.0, 10.0])
    found = losses.damping(rows, curvature, jnp.asarray(0.1), table_size=size)
    assert np.allclose(found, [1 / 4, 1.0, 1 / 4])
