"""Beam search with the length penalty of Wu et al. 2016, https://arxiv.org/abs/1609.08144."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxvision.ops.greedy_search import Step, next_log_probabilities


class Hypotheses(NamedTuple):
    """The K best sequences found for each of B inputs, best first.

    Attributes:
        tokens: Each ends with the end token, padded after it [B, K, L]; all padding where fewer
            than K were found.
        scores: Log probability over length penalty [B, K]; -inf where there is no sequence.
    """

    tokens: jax.Array
    scores: jax.Array


class _Beam(NamedTuple):
    """State of the search: K hypotheses that continue, and the K best that have ended."""

    tokens: jax.Array
    log_probability: jax.Array
    ended: Hypotheses
    cache: Any
    done: jax.Array
    position: jax.Array


def length_penalty(length: jax.typing.ArrayLike, alpha: float) -> jax.Array:
    """Computes ((5 + n) / 6)^alpha for n tokens, the end included (equation 14)."""
    return ((5.0 + jnp.asarray(length, jnp.float32)) / 6.0) ** alpha


def beam_search(
    step: Step,
    cache: Any,
    max_lengths: jax.Array,
    *,
    beam_size: int,
    alpha: float,
    length: int,
    start_id: int,
    end_id: int,
    pad_id: int,
) -> Hypotheses:
    """Searches the sequences of highest log probability / length penalty.

    A step takes the 2 K likeliest extensions of the K hypotheses. Of the first K of them, those
    that end are kept as results; the first K that do not end continue. The search of an input stops
    when K sequences have ended. With K = 1 it is greedy search.

    Args:
        step: Computes the logits of the next tokens for N = B K hypotheses, those of one input next
            to each other. It is traced once.
        cache: Cache of the first step, arrays [B K, ...].
        max_lengths: Maximum number of tokens of each sequence, end token included, at least 1 [B];
            the last one is forced to be the end token.
        beam_size: K.
        alpha: Exponent of the penalty; 0 for none, larger for longer sequences.
        length: L, at least as large as any of `max_lengths`.
        start_id: The token given to the first step.
        end_id: The token that ends a sequence.
        pad_id: Fills the positions after the end.

    Raises:
        ValueError: If `beam_size` is below 1.
    """
    if beam_size < 1:
        raise ValueError(f"beam_size must be at least 1, got {beam_size}")
    batch = max_lengths.shape[0]
    max_lengths = jnp.minimum(max_lengths, length)
    nothing = jnp.full((batch, beam_size, length), pad_id, jnp.int32)
    worst = jnp.full((batch, beam_size), -jnp.inf)

    def unfinished(beam: _Beam) -> jax.Array:
        return (beam.position < length) & ~beam.done.all()

    def extend(beam: _Beam) -> _Beam:
        before = jax.lax.dynamic_index_in_dim(
            beam.tokens, jnp.maximum(beam.position - 1, 0), axis=2, keepdims=False
        )
        before = jnp.where(beam.position == 0, start_id, before)
        logits, cache = step(before.reshape(-1), beam.position, beam.cache)
        limits = jnp.repeat(max_lengths, beam_size)
        following = next_log_probabilities(logits, beam.position, limits, end_id)
        following = following.reshape(batch, beam_size, -1)
        return _select(beam._replace(cache=cache), following, max_lengths, alpha, end_id)

    start = _Beam(
        tokens=nothing,
        # All hypotheses start equal: only one is alive, or they would repeat each other.
        log_probability=worst.at[:, 0].set(0.0),
        ended=Hypotheses(nothing, worst),
        cache=cache,
        done=jnp.zeros(batch, bool),
        position=jnp.zeros((), jnp.int32),
    )
    return jax.lax.while_loop(unfinished, extend, start).ended


def _select(
    beam: _Beam, following: jax.Array, max_lengths: jax.Array, alpha: float, end_id: int
) -> _Beam:
    """Chooses the extensions that end and those that continue.

    Args:
        beam: The hypotheses; its cache is that after the step.
        following: Log probabilities of their next tokens [B, K, V].
        max_lengths: As for `beam_search`, as are the others.
        alpha: Exponent of the penalty.
        end_id: The token that ends a sequence.
    """
    batch, beam_size, vocabulary = following.shape
    total = beam.log_probability[:, :, None] + following
    # At most K of them end, one a hypothesis, so that K are left that do not.
    candidates, flat = jax.lax.top_k(total.reshape(batch, -1), 2 * beam_size)
    parents, chosen = flat // vocabulary, flat % vocabulary
    tokens = jax.lax.dynamic_update_slice_in_dim(
        _rows(beam.tokens, parents), chosen[:, :, None], beam.position, axis=2
    )
    ends = chosen == end_id

    first = jnp.arange(2 * beam_size) < beam_size
    scores = candidates / length_penalty(beam.position + 1, alpha)
    scores = jnp.where(ends & first[None] & ~beam.done[:, None], scores, -jnp.inf)
    ended = _best(beam_size, beam.ended, Hypotheses(tokens, scores))
    found = (ended.scores > -jnp.inf).sum(axis=1)

    log_probability, kept = jax.lax.top_k(jnp.where(ends, -jnp.inf, candidates), beam_size)
    parents = jnp.take_along_axis(parents, kept, axis=1)
    return _Beam(
        tokens=_rows(tokens, kept),
        log_probability=log_probability,
        ended=ended,
        cache=jax.tree.map(lambda x: _reorder(x, parents), beam.cache),
        done=beam.done | (found == beam_size) | (beam.position + 1 >= max_lengths),
        position=beam.position + 1,
    )


def _best(number: int, one: Hypotheses, other: Hypotheses) -> Hypotheses:
    """Returns the best of two sets; ties go to the first."""
    both = jax.tree.map(lambda x, y: jnp.concatenate([x, y], axis=1), one, other)
    scores, kept = jax.lax.top_k(both.scores, number)
    tokens = _rows(both.tokens, kept)
    return Hypotheses(tokens, scores)


def _rows(x: jax.Array, index: jax.Array) -> jax.Array:
    """Picks rows of each input: [B, K, ...] and [B, M] to [B, M, ...]."""
    # Batched, so that inputs on several devices stay where they are.
    return jax.vmap(lambda rows, index: rows[index])(x, index)


def _reorder(x: jax.Array, parents: jax.Array) -> jax.Array:
    """Gives each of K hypotheses the row [B K, ...] of its parent."""
    return _rows(x.reshape(*parents.shape, *x.shape[1:]), parents).reshape(x.shape)
