"""Focal loss of independent yes-or-no decisions.

Lin et al. 2017, https://arxiv.org/abs/1708.02002, equation 5. The gradient of
`optax.sigmoid_focal_loss`, which also takes targets between 0 and 1, needs memory for eight arrays
of the logits' size, gigabytes for the anchors of a batch; this one next to none.
"""

import jax
import jax.numpy as jnp


def sigmoid_focal_loss(
    logits: jax.Array, targets: jax.Array, *, alpha: float | None, gamma: float
) -> jax.Array:
    """Computes -alpha_t (1 - p_t)^gamma log(p_t), p_t the probability of the right answer.

    Args:
        logits: [...].
        targets: Whether the answer is yes [...] bool.
        alpha: Weight where it is; 1 - alpha where it is not. None for a weight of 1 in both.
        gamma: At least 0; the larger, the less easy examples count. 0 is the cross entropy.

    Returns:
        Losses [...]; values and gradients are finite for all finite logits.
    """
    # p_t = sigmoid(x); both logarithms share one exponential. Branches, not abs and minimum, whose
    # derivatives at 0 do not add up to that of the smooth whole.
    x = jnp.where(targets, logits, -logits)
    positive = x >= 0
    tail = jnp.log1p(jnp.exp(jnp.where(positive, -x, x)))
    log_p = jnp.where(positive, 0.0, x) - tail
    log_not_p = jnp.where(positive, -x, 0.0) - tail
    weight = 1.0 if alpha is None else jnp.where(targets, alpha, 1.0 - alpha)
    return -weight * jnp.exp(gamma * log_not_p) * log_p
