"""Several sentence pairs in a row are each as if alone."""

import functools

import jax
import jax.numpy as jnp
import network
import numpy as np
import pytest

from jaxvision import models
from jaxvision.models.sequence.attention import segment_mask
from jaxvision.models.sequence.embedding import segment_positions

# What is compiled here runs for milliseconds.
jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})

# Tokens of source and target of the pairs in each of two rows.
ROWS = (((4, 5), (2, 1), (5, 3)), ((6, 2), (3, 8)))
SOURCE, TARGET = 13, 12

SEGMENTS = np.array([[1, 1, 1, 2, 3, 3, 0, 0], [1, 2, 2, 2, 2, 2, 2, 2], [0] * 8], np.int32)


def test_positions_start_anew_with_each_segment():
    expected = [[0, 1, 2, 0, 0, 1, 0, 1], [0, 0, 1, 2, 3, 4, 5, 6], list(range(8))]
    found = segment_positions(jnp.asarray(SEGMENTS))
    assert found.dtype == jnp.int32
    np.testing.assert_array_equal(found, expected)


def test_mask_joins_tokens_of_one_number_but_padding():
    queries, keys = SEGMENTS, SEGMENTS[:, ::-1][:, :5]
    mask = segment_mask(jnp.asarray(queries), jnp.asarray(keys))
    assert mask.shape == (3, 1, 8, 5)
    for b, t, s in np.ndindex(3, 8, 5):
        assert mask[b, 0, t, s] == (queries[b, t] == keys[b, s] != 0)


def pairs(seed=0):
    """Tokens of each pair, row by row."""
    rng = np.random.default_rng(seed)
    return [[[rng.integers(1, 11, n) for n in lengths] for lengths in row] for row in ROWS]


def packed(rows):
    """Lays pairs into source, target, and the segments of both."""
    tokens = [np.zeros((len(rows), length), np.int32) for length in (SOURCE, TARGET)]
    segments = [np.zeros_like(side) for side in tokens]
    for b, row in enumerate(rows):
        ends = [0, 0]
        for number, pair in enumerate(row, 1):
            for side, sentence in enumerate(pair):
                place = slice(ends[side], ends[side] + len(sentence))
                tokens[side][b, place], segments[side][b, place] = sentence, number
                ends[side] = place.stop
    return *tokens, *segments


@functools.cache
def run(**changes):
    """Returns the compiled forward pass of a small model."""
    fields = dict(features=16, hidden=32, num_heads=4, num_layers=(2, 2), dropout_rate=0.0)
    model = models.transformer("tiny", vocabulary_size=11, **fields, **changes)
    tokens = jnp.zeros((1, 3), jnp.int32)
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), tokens, tokens, train=False))
    variables = network.filled(shapes)
    return jit(lambda *inputs: model.apply(variables, *inputs, train=False))


@pytest.mark.parametrize(
    "changes", [{}, dict(pre_norm=True, positions="learned", max_length=13)], ids=["post", "pre"]
)
def test_logits_are_those_of_each_pair_alone(changes):
    forward, rows = run(**changes), pairs()
    source, target, source_segments, target_segments = packed(rows)
    logits = np.asarray(forward(source, target, source_segments, target_segments))
    assert np.isfinite(logits).all()
    # One pair a row, padded to the same lengths.
    alone = packed([[pair] for row in rows for pair in row])
    expected = iter(np.asarray(forward(*alone[:2])))
    for b, row in enumerate(rows):
        for number, pair in enumerate(row, 1):
            found = logits[b][target_segments[b] == number]
            np.testing.assert_allclose(found, next(expected)[: len(pair[1])], atol=1e-5)


@pytest.mark.parametrize("side", [0, 1], ids=["source", "target"])
def test_tokens_of_another_pair_change_nothing(side):
    forward = run()
    inputs = packed(pairs())
    before = np.asarray(forward(*inputs))
    segments = inputs[2 + side]
    for number in (1, 2, 3):
        changed = list(inputs)
        changed[side] = np.where(segments == number, inputs[side] % 10 + 1, inputs[side])
        after = np.asarray(forward(*changed))
        own = inputs[3] == number
        np.testing.assert_array_equal(before[~own], after[~own])
        assert (before[own] != after[own]).any(axis=-1).any()


def test_one_pair_a_row_with_and_without_its_number():
    forward = run()
    inputs = packed([row[:1] for row in pairs()])
    real = inputs[3] != 0
    numbered, plain = (np.asarray(forward(*x))[real] for x in (inputs, inputs[:2]))
    np.testing.assert_allclose(numbered, plain, atol=1e-6)
