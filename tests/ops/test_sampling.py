import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.ops.sampling import restricted, sample_tokens

# Probabilities .5, .25, .15, .1, not in order.
LOGITS = jnp.log(jnp.array([[0.25, 0.1, 0.5, 0.15]]))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (dict(), [0.25, 0.1, 0.5, 0.15]),
        (dict(top_k=2), [1 / 3, 0, 2 / 3, 0]),
        (dict(top_k=9), [0.25, 0.1, 0.5, 0.15]),
        (dict(top_p=0.5), [0, 0, 1, 0]),
        (dict(top_p=0.51), [1 / 3, 0, 2 / 3, 0]),
        (dict(top_p=1e-9), [0, 0, 1, 0]),
        # Of the two that top-k keeps, the first has 2 / 3.
        (dict(top_k=2, top_p=0.6), [0, 0, 1, 0]),
        # Squares: .0625, .01, .25, .0225 of .345.
        (dict(temperature=0.5), np.array([0.0625, 0.01, 0.25, 0.0225]) / 0.345),
    ],
)
def test_restricted_distribution_is_that_by_hand(options, expected):
    options = dict(temperature=1.0, top_k=0, top_p=1.0) | options
    found = jax.nn.softmax(restricted(LOGITS, **options))[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def counting(tokens, position, cache):
    """The next token is the last one plus one; the cache counts calls."""
    del position
    return 50.0 * jax.nn.one_hot((tokens + 1) % 10, 10), cache + 1


def sample(step, prompts, lengths, **options):
    cache = jnp.zeros(len(prompts))
    options = dict(length=7) | options
    return sample_tokens(
        step, cache, jnp.array(prompts), jnp.array(lengths), jax.random.key(0), **options
    )


def test_prompts_of_different_lengths_are_kept_and_continued():
    found = sample(counting, [[3, 1, 5], [8, 0, 0]], [3, 1])
    np.testing.assert_array_equal(found, [[3, 1, 5, 6, 7, 8, 9], [8, 9, 0, 1, 2, 3, 4]])


def test_a_row_that_ended_is_filled_up_and_the_loop_stops():
    found = sample(counting, [[3], [7]], [1, 1], end_id=9, temperature=0.0)
    np.testing.assert_array_equal(found, [[3, 4, 5, 6, 7, 8, 9], [7, 8, 9, 9, 9, 9, 9]])
    # The end in a prompt ends nothing.
    found = sample(counting, [[9, 1]], [2], end_id=9, length=4)
    np.testing.assert_array_equal(found, [[9, 1, 2, 3]])


def test_drawn_tokens_have_their_probabilities():
    def fixed(tokens, position, cache):
        return jnp.broadcast_to(LOGITS, (len(tokens), 4)), cache

    found = np.asarray(sample(fixed, np.zeros((2000, 1), np.int32), np.ones(2000, np.int32)))
    shares = np.bincount(found[:, 1:].ravel(), minlength=4) / found[:, 1:].size
    np.testing.assert_allclose(shares, [0.25, 0.1, 0.5, 0.15], atol=0.015)
    # Columns are drawn apart from each other.
    pairs = {tuple(row) for row in found[:, 1:3].tolist()}
    assert pairs == set(itertools.product(range(4), repeat=2))
