"""Cross entropy with smoothed labels, for sequences."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class TokenLoss(NamedTuple):
    """One value a token.

    Attributes:
        smoothed: Cross entropy with the smoothed label, which is minimised [...].
        negative_log_likelihood: Of the label alone [...].
        correct: Whether no token is more probable than the label [...].
    """

    smoothed: jax.Array
    negative_log_likelihood: jax.Array
    correct: jax.Array


def smoothed_cross_entropy(
    logits: jax.Array, labels: jax.Array, *, label_smoothing: float
) -> TokenLoss:
    """Computes (1 - e) (-log p_label) + e / V sum_v (-log p_v).

    Szegedy et al. 2015, https://arxiv.org/abs/1512.00567, section 7: the share e is spread over all
    V classes, the label's among them, as in fairseq. Other code spreads it over V - 1 or V - 2
    and subtracts the entropy of the labels: losses are then not comparable, gradients nearly equal.

    Args:
        logits: [..., V].
        labels: [...] int32.
        label_smoothing: e, in [0, 1).
    """
    # Reductions only: log_softmax would be another array as large as the logits, most of a small
    # model's memory, and a maximum is cheaper than an argmax.
    normalizer = jax.nn.logsumexp(logits, axis=-1)
    picked = jnp.take_along_axis(logits, labels[..., None], axis=-1)[..., 0]
    negative_log_likelihood = normalizer - picked
    uniform = normalizer - logits.mean(axis=-1)
    smoothed = (1.0 - label_smoothing) * negative_log_likelihood + label_smoothing * uniform
    return TokenLoss(smoothed, negative_log_likelihood, picked >= logits.max(axis=-1))
