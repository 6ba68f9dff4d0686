"""Greedy search: the most probable token at each step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

# Maps (tokens [N], their position, cache) to (logits of the next tokens [N, V], new cache).
# Every array of the cache is [N, ...].
Step = Callable[[jax.Array, jax.Array, Any], tuple[jax.Array, Any]]


class Sequences(NamedTuple):
    """The sequences found for B inputs.

    Attributes:
        tokens: Ends with the end token, padded after it [B, L].
        log_probability: Of each sequence, end token included [B].
    """

    tokens: jax.Array
    log_probability: jax.Array


def next_log_probabilities(
    logits: jax.Array, position: jax.Array, max_lengths: jax.Array, end_id: int
) -> jax.Array:
    """Normalises logits; at the last position only the end token is possible.

    Args:
        logits: [B, V].
        position: That of the tokens to choose, from 0.
        max_lengths: Maximum number of tokens of each sequence, end token included [B].
        end_id: The token that ends a sequence.

    Returns:
        Log probabilities [B, V], -inf for tokens that are not allowed.
    """
    log_probabilities = jax.nn.log_softmax(logits.astype(jnp.float32))
    ends = jnp.arange(logits.shape[-1]) == end_id
    last = position + 1 >= max_lengths
    return jnp.where(last[:, None] & ~ends[None], -jnp.inf, log_probabilities)


def greedy_search(
    step: Step,
    cache: Any,
    max_lengths: jax.Array,
    *,
    length: int,
    start_id: int,
    end_id: int,
    pad_id: int,
) -> Sequences:
    """Extends B sequences by the most probable token until all have ended.

    Args:
        step: Computes the logits of the next tokens. It is traced once.
        cache: Cache of the first step, arrays [B, ...].
        max_lengths: Maximum number of tokens of each sequence, end token included, at least 1 [B];
            the last one is forced to be the end token.
        length: L, at least as large as any of `max_lengths`.
        start_id: The token given to the first step.
        end_id: The token that ends a sequence.
        pad_id: Fills the positions after the end.
    """
    batch = max_lengths.shape[0]
    max_lengths = jnp.minimum(max_lengths, length)

    def unfinished(carry: tuple[Any, ...]) -> jax.Array:
        *_, ended, position = carry
        return (position < length) & ~ended.all()

    def extend(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        tokens, previous, total, cache, ended, position = carry
        logits, cache = step(previous, position, cache)
        scores = next_log_probabilities(logits, position, max_lengths, end_id)
        chosen = jnp.where(ended, pad_id, scores.argmax(axis=-1)).astype(jnp.int32)
        total = total + jnp.where(ended, 0.0, scores.max(axis=-1))
        tokens = jax.lax.dynamic_update_slice_in_dim(tokens, chosen[:, None], position, axis=1)
        return tokens, chosen, total, cache, ended | (chosen == end_id), position + 1

    tokens, _, total, *_ = jax.lax.while_loop(
        unfinished,
        extend,
        (
            jnp.full((batch, length), pad_id, jnp.int32),
            jnp.full(batch, start_id, jnp.int32),
            jnp.zeros(batch),
            cache,
            jnp.zeros(batch, bool),
            jnp.zeros((), jnp.int32),
        ),
    )
    return Sequences(tokens, total)
