"""Greedy and beam search over a model of random tables, small enough to list every sequence."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.ops.beam_search import beam_search, length_penalty
from jaxvision.ops.greedy_search import greedy_search

PAD, END, START, VOCABULARY, LENGTH, BATCH = 0, 1, 2, 5, 4, 6
SYMBOLS = (2, 3, 4)
# 1 + 3 + 9 + 27 sequences of up to three symbols and an end.
ALL = 40
OPTIONS = dict(length=LENGTH, start_id=START, end_id=END, pad_id=PAD)


def tables(seed, batch=BATCH):
    """Returns log probabilities of each token after the last two, by position."""
    rng = np.random.default_rng(seed)
    logits = 2.0 * rng.standard_normal((batch, LENGTH, VOCABULARY, VOCABULARY, VOCABULARY))
    logits[..., PAD] = -np.inf
    return jax.nn.log_softmax(jnp.float32(logits))


def model(table, hypotheses):
    """Returns step and first cache: what a token follows is known from the cache alone."""
    rows = jnp.repeat(jnp.arange(len(table)), hypotheses)

    def step(tokens, position, cache):
        logits = table[rows, position, cache["before"], tokens]
        return logits + 3.0, {"before": tokens}  # not normalised

    return step, {"before": jnp.full(len(rows), START)}


@functools.partial(jax.jit, static_argnames="beam_size")
def beam(table, max_lengths, alpha, beam_size):
    step, cache = model(table, beam_size)
    return beam_search(step, cache, max_lengths, beam_size=beam_size, alpha=alpha, **OPTIONS)


@jax.jit
def greedy(table, max_lengths):
    step, cache = model(table, 1)
    return greedy_search(step, cache, max_lengths, **OPTIONS)


def limits(*values):
    return jnp.asarray(values or [LENGTH] * BATCH)


def follow(table, sequence, limit):
    """Log probability of a sequence; the last place can only hold the end."""
    total, before, previous = 0.0, START, START
    for position, token in enumerate(sequence):
        if position == limit - 1 and token != END:
            return -np.inf
        total += table[position, before, previous, token]
        before, previous = previous, token
    return total


def every_sequence(table, limit, alpha):
    found = []
    for symbols in range(limit):
        for prefix in itertools.product(SYMBOLS, repeat=symbols):
            sequence = (*prefix, END)
            score = follow(table, sequence, limit) / ((5 + len(sequence)) / 6) ** alpha
            found.append((score, sequence))
    return sorted(found, reverse=True)


def textbook(table, limit, alpha, size):
    """Beam search over lists, as its docstring tells it."""
    alive, ended = [()], []
    for position in range(limit):
        extensions = []
        for prefix in alive:
            for token in (END, *SYMBOLS) if position < limit - 1 else (END,):
                sequence = (*prefix, token)
                extensions.append((follow(table, sequence, limit), sequence))
        extensions = sorted(extensions, reverse=True)[: 2 * size]
        for total, sequence in extensions[:size]:
            if sequence[-1] == END:
                ended.append((total / ((5 + len(sequence)) / 6) ** alpha, sequence))
        alive = [sequence for _, sequence in extensions if sequence[-1] != END][:size]
        if len(ended) >= size:
            break
    return sorted(ended, reverse=True)[:size]


def assert_found(hypotheses, row, expected):
    for k, (score, sequence) in enumerate(expected):
        padded = (*sequence, *[PAD] * (LENGTH - len(sequence)))
        assert tuple(hypotheses.tokens[row, k].tolist()) == padded
        np.testing.assert_allclose(hypotheses.scores[row, k], score, rtol=1e-4)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_wide_beam_equals_all_sequences(seed, alpha):
    table = tables(seed)
    max_lengths = limits(4, 4, 3, 4, 1, 2)
    result = beam(table, max_lengths, alpha, ALL)
    for row, limit in enumerate(max_lengths.tolist()):
        expected = every_sequence(np.asarray(table[row], np.float64), limit, alpha)
        assert_found(result, row, expected)
        nothing = len(expected)
        assert np.isneginf(result.scores[row, nothing:]).all()
        assert (result.tokens[row, nothing:] == PAD).all()


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("alpha", [0.0, 0.6])
def test_narrow_beam_equals_a_search_over_lists(size, alpha):
    for seed in range(8):
        table = tables(seed)
        result = beam(table, limits(), alpha, size)
        for row in range(BATCH):
            expected = textbook(np.asarray(table[row], np.float64), LENGTH, alpha, size)
            assert_found(result, row, expected)


@pytest.mark.parametrize("seed", range(8))
def test_beam_of_one_is_greedy(seed):
    table, max_lengths = tables(seed), limits(4, 3, 4, 2, 4, 4)
    one, other = beam(table, max_lengths, 0.0, 1), greedy(table, max_lengths)
    np.testing.assert_array_equal(one.tokens[:, 0], other.tokens)
    np.testing.assert_allclose(one.scores[:, 0], other.log_probability, rtol=1e-5)
    for row in range(BATCH):
        ends = np.flatnonzero(other.tokens[row] == END)
        assert len(ends) == 1 and ends[0] < max_lengths[row]
        assert (other.tokens[row, ends[0] + 1 :] == PAD).all()


def test_result_does_not_depend_on_the_rest_of_the_batch():
    table = tables(3)
    together = beam(table, limits(), 0.6, 2)
    for row in range(BATCH):
        alone = beam(table[row : row + 1], limits(LENGTH), 0.6, 2)
        np.testing.assert_array_equal(alone.tokens[0], together.tokens[row])
        np.testing.assert_array_equal(alone.scores[0], together.scores[row])


@pytest.mark.parametrize("beam_size", [0, 2])
def test_search_stops_when_all_have_ended(beam_size):
    """Counts the steps of a model that ends at once, or with an end that is never likely."""
    count = []

    def step(tokens, position, cache):
        jax.debug.callback(lambda p: count.append(int(p)), position)
        likely = jnp.where(position >= 2, 50.0, -50.0)
        logits = jnp.zeros((len(tokens), VOCABULARY)).at[:, END].set(likely)
        return logits.at[:, PAD].set(-jnp.inf), cache

    options = OPTIONS | dict(length=50)
    if beam_size:
        search = functools.partial(beam_search, beam_size=beam_size, alpha=0.6)
    else:
        search = greedy_search
    search = jax.jit(functools.partial(search, step, None, **options))
    jax.block_until_ready(search(jnp.asarray([50, 50])))
    jax.effects_barrier()
    assert sorted(count) == [0, 1, 2]


def test_length_penalty_is_that_of_gnmt():
    np.testing.assert_allclose(length_penalty(1, 0.6), 1.0)
    np.testing.assert_allclose(length_penalty(19, 0.6), 4**0.6, rtol=1e-6)
    np.testing.assert_allclose(length_penalty(19, 0.0), 1.0)


def test_empty_beam_is_refused():
    with pytest.raises(ValueError, match="beam_size must be at least 1, got 0"):
        beam(tables(0), limits(), 0.0, 0)
