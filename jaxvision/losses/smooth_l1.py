"""Smooth absolute error.

Fast R-CNN, Girshick 2015, https://arxiv.org/abs/1504.08083, equation 3; with another place of the
bend as in py-faster-rcnn's sigma and torchvision's beta.
"""

import jax
import jax.numpy as jnp
import optax


def smooth_l1(predictions: jax.Array, targets: jax.Array, *, beta: float) -> jax.Array:
    """Computes 0.5 x^2 / beta where |x| < beta, else |x| - 0.5 beta, x the difference.

    Args:
        predictions: [...].
        targets: [...].
        beta: Where the parabola ends; 0 for the absolute error.

    Returns:
        Errors [...].
    """
    if beta == 0:
        return jnp.abs(predictions - targets)
    return optax.huber_loss(predictions, targets, delta=beta) / beta
