"""Text from a language model: temperature, top-k and top-p.

The Curious Case of Neural Text Degeneration, Holtzman et al. 2019,
https://arxiv.org/abs/1904.09751, section 3.1 for top-p; Hierarchical Neural Story Generation, Fan
et al. 2018, https://arxiv.org/abs/1805.04833, section 5.4 for top-k.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxvision.ops.greedy_search import Step


def restricted(logits: jax.Array, *, temperature: float, top_k: int, top_p: float) -> jax.Array:
    """Sharpens a distribution, and leaves its most probable tokens alone.

    The k most probable tokens are kept, and of these, after dividing by the temperature, the
    fewest whose probabilities sum to at least p. Tokens as probable as the last one kept by top-k
    stay too.

    Args:
        logits: [N, V] float32.
        temperature: Divides them, above 0.
        top_k: k; 0 for all tokens.
        top_p: p, in (0, 1].

    Returns:
        Logits [N, V], -inf for tokens that are not drawn.
    """
    logits = logits / temperature
    if 0 < top_k < logits.shape[-1]:
        least = jax.lax.top_k(logits, top_k)[0][:, -1:]
        logits = jnp.where(logits < least, -jnp.inf, logits)
    if top_p < 1:
        order = jnp.argsort(-logits, axis=-1)
        probabilities = jax.nn.softmax(jnp.take_along_axis(logits, order, axis=-1), axis=-1)
        # A token is kept if those before it do not reach p yet: always the first.
        kept = jnp.cumsum(probabilities, axis=-1) - probabilities < top_p
        rank = jnp.argsort(order, axis=-1)
        logits = jnp.where(jnp.take_along_axis(kept, rank, axis=-1), logits, -jnp.inf)
    return logits


def sample_tokens(
    step: Step,
    cache: Any,
    prompts: jax.Array,
    lengths: jax.Array,
    key: jax.Array,
    *,
    length: int,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    end_id: int = -1,
) -> jax.Array:
    """Continues N prompts by drawn tokens, in one loop with the cache.

    Args:
        step: Computes the logits of the next tokens.
        cache: Cache of the first step, arrays [N, ...].
        prompts: Tokens [N, P] int32.
        lengths: How many of each row are the prompt, at least 1 [N].
        key: Of the random numbers.
        length: L, the tokens of prompt and continuation together.
        temperature: 0 takes the most probable token.
        top_k: As for `restricted`.
        top_p: As for `restricted`.
        end_id: A drawn token that ends a row, which is then filled up with it; -1 for none.

    Returns:
        Tokens [N, L] int32.
    """
    rows, given = prompts.shape
    tokens = jnp.zeros((rows, length), jnp.int32).at[:, :given].set(prompts[:, :length])

    def unfinished(carry: tuple[Any, ...]) -> jax.Array:
        _, _, ended, position = carry
        return (position < length - 1) & ~ended.all()

    def extend(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        tokens, cache, ended, position = carry
        logits, cache = step(tokens[:, position], position, cache)
        if temperature:
            logits = restricted(logits, temperature=temperature, top_k=top_k, top_p=top_p)
            drawn = jax.random.categorical(jax.random.fold_in(key, position), logits)
        else:
            drawn = logits.argmax(axis=-1)
        is_prompt = position + 1 < lengths
        ended = ended | (~is_prompt & (drawn == end_id))
        chosen = jnp.where(ended, end_id, drawn).astype(jnp.int32)
        chosen = jnp.where(is_prompt, tokens[:, position + 1], chosen)
        return tokens.at[:, position + 1].set(chosen), cache, ended, position + 1

    start = (tokens, cache, jnp.zeros(rows, bool), jnp.int32(0))
    tokens, _, ended, position = jax.lax.while_loop(unfinished, extend, start)
    # Where all rows have ended, nothing was written behind.
    behind = ended[:, None] & (jnp.arange(length)[None] > position)
    return jnp.where(behind, end_id, tokens)
