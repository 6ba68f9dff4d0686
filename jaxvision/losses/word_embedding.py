"""Losses of word2vec: windows of a text, negative sampling and hierarchical softmax.

Mikolov et al. 2013, https://arxiv.org/abs/1301.3781 and https://arxiv.org/abs/1310.4546. A block of
text has L centres and w tokens more on both sides, S = L + 2 * w, so that all windows are parts of
it; -1 stands between sentences and where there is nothing. Which of Q inputs predicts which of R
outputs is a matrix of weights, and so all scores of a block are one matrix product.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Weights(NamedTuple):
    """How often each input has to find each output, and how often not to.

    Attributes:
        positive: Weight of -log sigmoid(score) [..., Q, R].
        negative: Weight of -log sigmoid(-score) [..., Q, R].
    """

    positive: jax.Array
    negative: jax.Array


def windows(tokens: jax.Array, reach: jax.Array) -> jax.Array:
    """Says which tokens of a block are in the window of which centre.

    Args:
        tokens: [..., S] int32, -1 for none.
        reach: Tokens on each side that belong to a centre's window [..., L].

    Returns:
        [..., S, L] bool; a centre is not in its own window, nor is what another sentence holds.
    """
    size, centres = tokens.shape[-1], reach.shape[-1]
    halo = (size - centres) // 2
    place, middle = jnp.arange(size)[:, None], jnp.arange(centres)[None] + halo
    distance = jnp.abs(place - middle).reshape((1,) * (tokens.ndim - 1) + (size, centres))
    sentence = jnp.cumsum(tokens < 0, axis=-1)
    there = tokens >= 0
    inner = slice(halo, halo + centres)
    near = (distance > 0) & (distance <= reach[..., None, :])
    same = sentence[..., :, None] == sentence[..., None, inner]
    return near & same & there[..., :, None] & there[..., None, inner]


def bags(
    inputs: jax.Array,
    window: jax.Array,
    extra: jax.Array | None = None,
    *,
    undivided: bool = False,
) -> jax.Array:
    """Computes the mean of the vectors in each window, as CBOW and PV-DM predict from it.

    Args:
        inputs: Vectors of a block [..., S, D].
        window: As `windows` returns it [..., S, L].
        extra: A vector more in each window, a document's [..., L, D].
        undivided: Whether each vector gets the whole gradient of the mean, and not its part of it,
            as in word2vec's own program.

    Returns:
        [..., L, D]; zeros where a window is empty.
    """
    weights = window.astype(inputs.dtype)
    total = jnp.einsum("...sl,...sd->...ld", weights, inputs)
    count = weights.sum(axis=-2)
    if extra is not None:
        total, count = total + extra, count + 1.0
    mean = total / jnp.maximum(count, 1.0)[..., None]
    return total + jax.lax.stop_gradient(mean - total) if undivided else mean


def sampled_weights(
    pairs: jax.Array, centres: jax.Array, noise: jax.Array, negatives: float
) -> Weights:
    """Weighs outputs that are the centres of a block and noise words, which all pairs share.

    Each pair has `negatives` noise words in expectation. Those equal to its centre do not count.

    Args:
        pairs: Which input predicts which centre [..., Q, L].
        centres: Their words [..., L].
        noise: Words drawn for the block [..., N].
        negatives: Noise words of a pair, k of the paper.

    Returns:
        Weights of the L + N outputs.
    """
    pairs = pairs.astype(jnp.float32)
    others = (centres[..., :, None] != noise[..., None, :]).astype(jnp.float32)
    counts = jnp.einsum("...ql,...ln->...qn", pairs, others) * (negatives / noise.shape[-1])
    positive = jnp.concatenate([pairs, jnp.zeros_like(counts)], axis=-1)
    return Weights(positive, jnp.concatenate([jnp.zeros_like(pairs), counts], axis=-1))


def tree_weights(pairs: jax.Array, codes: jax.Array) -> Weights:
    """Weighs outputs that are the inner nodes on the ways to the centres, for Huffman's tree.

    Args:
        pairs: Which input predicts which centre [..., Q, L].
        codes: Code of each centre [..., L, P], -1 after its end.

    Returns:
        Weights of the L * P outputs.
    """

    def of(code: int) -> jax.Array:
        found = pairs[..., None] & (codes == code)[..., None, :, :]
        return found.reshape(*pairs.shape[:-1], -1).astype(jnp.float32)

    return Weights(of(0), of(1))


def embedding_loss(inputs: jax.Array, outputs: jax.Array, weights: Weights) -> jax.Array:
    """Sums the weighted logistic losses of all inputs and outputs.

    Args:
        inputs: Vectors [..., Q, D].
        outputs: Vectors [..., R, D].
        weights: Of each pair.
    """
    scores = jnp.einsum("...qd,...rd->...qr", inputs, outputs)
    # softplus(-s) is softplus(s) - s; one exponential serves it and its gradient.
    softplus = jnp.maximum(scores, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(scores)))
    terms = (weights.positive + weights.negative) * softplus - weights.positive * scores
    return terms.sum()


def curvatures(
    inputs: jax.Array, outputs: jax.Array, weights: Weights
) -> tuple[jax.Array, jax.Array]:
    """Bounds the second derivative of `embedding_loss` along each vector.

    That of the logistic loss is at most 1/4.

    Args:
        inputs: Vectors [..., Q, D].
        outputs: Vectors [..., R, D].
        weights: Of each pair.

    Returns:
        Of the inputs [..., Q] and of the outputs [..., R].
    """
    weight = 0.25 * (weights.positive + weights.negative)
    of_inputs = jnp.einsum("...qr,...r->...q", weight, jnp.square(outputs).sum(axis=-1))
    return of_inputs, jnp.einsum("...qr,...q->...r", weight, jnp.square(inputs).sum(axis=-1))


def damping(
    rows: jax.Array, curvature: jax.Array, rate: jax.Array, *, table_size: int
) -> jax.Array:
    """Shortens the steps of vectors of which so many pairs are summed that they would overshoot.

    Gradient descent overshoots where learning rate times curvature exceeds 1, and diverges above
    2. word2vec's own program, pair after pair, is far below; a block's sum is so for most rows.

    Args:
        rows: Row of a table at each place [...]; one that occurs several times moves by the sum.
        curvature: Of each place [...].
        rate: Learning rate.
        table_size: Rows of the table.

    Returns:
        What the gradient of each place is multiplied by [...], in (0, 1].
    """
    flat, each = rows.reshape(-1), curvature.reshape(-1)
    if table_size <= flat.size**2:
        whole = jnp.zeros(table_size).at[flat].add(each)[flat]
    else:  # of a large vocabulary even one number a word is more than a block's pairs of rows
        whole = (flat[:, None] == flat[None]).astype(each.dtype) @ each
    return 1.0 / jnp.maximum(1.0, rate * whole.reshape(rows.shape))
