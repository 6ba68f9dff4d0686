"""Losses of semantic segmentation; pixels labelled `VOID` have no part in any of them.

Means over pixels are 0, with zero gradients, where a whole batch is void.
"""

import jax
import jax.numpy as jnp

from jaxvision.data.sample import VOID


def pixel_cross_entropy(
    logits: jax.Array,
    labels: jax.Array,
    *,
    class_weights: jax.Array | None = None,
    pixel_weights: jax.Array | None = None,
    gamma: float = 0.0,
) -> jax.Array:
    """Computes the mean over all pixels of the weighted cross entropy, or of the focal loss.

    As PyTorch's, the mean is over the classes' weights: the sum of the terms over that of the
    weights of the pixels' classes.

    Args:
        logits: [B, H, W, K].
        labels: Class of each pixel [B, H, W] int.
        class_weights: Weight of each class [K].
        pixel_weights: Factor of each pixel's term [B, H, W], which the mean is not divided by.
        gamma: 0, or the exponent of the focal loss (Lin et al. 2017,
            https://arxiv.org/abs/1708.02002, equation 4): a term counts (1 - p)^gamma.

    Returns:
        Scalar.
    """
    valid = labels != VOID
    classes = jnp.where(valid, labels, 0)
    log_p = jax.nn.log_softmax(logits.astype(jnp.float32))
    own = jnp.take_along_axis(log_p, classes[..., None], axis=-1)[..., 0]
    terms = -own
    if gamma:
        terms = terms * (1.0 - jnp.exp(own)) ** gamma
    weights = valid.astype(jnp.float32)
    if class_weights is not None:
        weights = weights * class_weights[classes]
    total = weights.sum()
    if pixel_weights is not None:
        terms = terms * pixel_weights
    return (terms * weights).sum() / jnp.where(total > 0, total, 1.0)


def dice_loss(
    logits: jax.Array, labels: jax.Array, *, smooth: float = 1.0, joint: bool = False
) -> jax.Array:
    """Computes 1 - Dice of the softmax and the labels over a whole batch.

    Milletari et al. 2016, https://arxiv.org/abs/1606.04797, equation 3, without squares:
    (2 sum(p y) + smooth) / (sum(p) + sum(y) + smooth), the sums over the pixels of all images.

    Args:
        logits: [B, H, W, K].
        labels: Class of each pixel [B, H, W] int.
        smooth: Keeps classes without pixels from dividing by 0.
        joint: Whether the sums are over the classes too, instead of a mean over the classes.

    Returns:
        Scalar in [0, 1].
    """
    valid = (labels != VOID)[..., None].astype(jnp.float32)
    p = jax.nn.softmax(logits.astype(jnp.float32)) * valid
    y = jax.nn.one_hot(labels, logits.shape[-1]) * valid
    axes = tuple(range(logits.ndim if joint else logits.ndim - 1))
    both, each = (p * y).sum(axes), (p + y).sum(axes)
    dice = (2 * both + smooth) / (each + smooth)
    return jnp.where(valid.sum() > 0, 1 - dice.mean(), 0.0)
