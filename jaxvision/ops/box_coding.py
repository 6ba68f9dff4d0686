"""Boxes as offsets from anchor boxes, the coding of R-CNN.

R-CNN, Girshick et al. 2013, https://arxiv.org/abs/1311.2524, appendix C: the shift of the centre in
sizes of the anchor and the logarithm of the ratio of sizes. Equal to torchvision's `BoxCoder`.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

# Predicted sizes are at most 1000 / 16 times the anchor's: exp of an early wild prediction
# would overflow.
MAX_LOG_RATIO = math.log(1000.0 / 16)

Weights = tuple[float, float, float, float]


def encode(
    boxes: jax.Array, anchors: jax.Array | np.ndarray, weights: Weights = (1.0, 1.0, 1.0, 1.0)
) -> jax.Array:
    """Turns boxes into offsets from their anchors.

    Args:
        boxes: [..., 4], xyxy in pixels, of positive width and height.
        anchors: [..., 4], xyxy in pixels, of positive width and height.
        weights: Factors of dx, dy, dw and dh.

    Returns:
        Offsets [..., 4] as dx, dy, dw, dh.
    """
    center, size = _center_and_size(boxes)
    anchor_center, anchor_size = _center_and_size(jnp.asarray(anchors))
    shift = (center - anchor_center) / anchor_size
    return _scaled(jnp.concatenate([shift, jnp.log(size / anchor_size)], axis=-1), weights)


def decode(
    offsets: jax.Array,
    anchors: jax.Array | np.ndarray,
    weights: Weights = (1.0, 1.0, 1.0, 1.0),
    *,
    max_log_ratio: float = MAX_LOG_RATIO,
) -> jax.Array:
    """Turns offsets into boxes; the inverse of `encode` up to the limit on sizes.

    Args:
        offsets: [..., 4] as dx, dy, dw, dh.
        anchors: [..., 4], xyxy in pixels.
        weights: Factors that `encode` multiplied by.
        max_log_ratio: dw and dh are clamped at this after division by their weights.

    Returns:
        Boxes [..., 4], xyxy in pixels.
    """
    dx, dy, dw, dh = weights
    offsets = _scaled(offsets, (1 / dx, 1 / dy, 1 / dw, 1 / dh))
    anchor_center, anchor_size = _center_and_size(jnp.asarray(anchors))
    center = offsets[..., :2] * anchor_size + anchor_center
    half = jnp.exp(jnp.minimum(offsets[..., 2:], max_log_ratio)) * anchor_size / 2
    return jnp.concatenate([center - half, center + half], axis=-1)


def _center_and_size(boxes: jax.Array) -> tuple[jax.Array, jax.Array]:
    size = boxes[..., 2:] - boxes[..., :2]
    return boxes[..., :2] + size / 2, size


def _scaled(offsets: jax.Array, weights: Weights) -> jax.Array:
    return offsets * jnp.asarray(weights).reshape((1,) * (offsets.ndim - 1) + (4,))
