"""Boxes as arrays [..., 4] of x1, y1, x2, y2: conversions, areas and overlaps."""

import math

import jax
import jax.numpy as jnp


def xyxy_to_cxcywh(boxes: jax.Array) -> jax.Array:
    """Corners to centre and size, [..., 4] to [..., 4]."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return jnp.concatenate([(low + high) / 2, high - low], axis=-1)


def cxcywh_to_xyxy(boxes: jax.Array) -> jax.Array:
    """Centre and size to corners, [..., 4] to [..., 4]."""
    center, half = boxes[..., :2], boxes[..., 2:] / 2
    return jnp.concatenate([center - half, center + half], axis=-1)


def area(boxes: jax.Array) -> jax.Array:
    """Width times height, [..., 4] to [...]; negative for a box with one side reversed."""
    size = boxes[..., 2:] - boxes[..., :2]
    return size[..., 0] * size[..., 1]


def without_slivers(boxes: jax.Array, *, side: float = 0.01) -> jax.Array:
    """Widens boxes thinner than a part of a pixel, whose code would be infinite.

    Args:
        boxes: [..., 4].
        side: Least width and height in pixels.
    """
    size = jnp.maximum(boxes[..., 2:] - boxes[..., :2], side)
    return jnp.concatenate([boxes[..., :2], boxes[..., :2] + size], axis=-1)


def clip_to_image(boxes: jax.Array, height: int, width: int) -> jax.Array:
    """Moves corners [..., 4] that lie outside of an image to its edge."""
    x, y = (jnp.clip(boxes[..., i::2], 0.0, side) for i, side in enumerate((width, height)))
    return jnp.stack([x[..., 0], y[..., 0], x[..., 1], y[..., 1]], axis=-1)


def intersection(a: jax.Array, b: jax.Array) -> jax.Array:
    """Area that two boxes share, [..., 4] and [..., 4] to [...]; 0 where they do not touch."""
    low = jnp.maximum(a[..., :2], b[..., :2])
    high = jnp.minimum(a[..., 2:], b[..., 2:])
    size = jnp.maximum(high - low, 0.0)
    return size[..., 0] * size[..., 1]


def iou(a: jax.Array, b: jax.Array, *, epsilon: float = 0.0) -> jax.Array:
    """Intersection over union of the boxes at the same index.

    Args:
        a: Boxes [..., 4].
        b: Boxes [..., 4].
        epsilon: Added to the union, which is 0 for two empty boxes.

    Returns:
        IoU in [0, 1], [...].
    """
    shared = intersection(a, b)
    return shared / (area(a) + area(b) - shared + epsilon)


def pairwise_iou(a: jax.Array, b: jax.Array) -> jax.Array:
    """Intersection over union of every box with every other: [N, 4] and [A, 4] to [N, A]."""
    # One coordinate at a time: [N, A] planes fuse into one pass, an [N, A, 2] array does not.
    ax1, ay1, ax2, ay2 = (a[:, None, i] for i in range(4))
    bx1, by1, bx2, by2 = (b[None, :, i] for i in range(4))
    width = jnp.maximum(jnp.minimum(ax2, bx2) - jnp.maximum(ax1, bx1), 0.0)
    height = jnp.maximum(jnp.minimum(ay2, by2) - jnp.maximum(ay1, by1), 0.0)
    shared = width * height
    union = area(a)[:, None] + area(b)[None, :] - shared
    return jnp.where(union > 0, shared / jnp.where(union > 0, union, 1.0), 0.0)


def generalized_iou(a: jax.Array, b: jax.Array, *, epsilon: float = 0.0) -> jax.Array:
    """GIoU (Rezatofighi et al. 2019, equation 4): IoU minus the empty share of the hull.

    Args:
        a: Boxes [..., 4].
        b: Boxes [..., 4].
        epsilon: Added to union and hull.

    Returns:
        GIoU in (-1, 1], [...].
    """
    shared = intersection(a, b)
    union = area(a) + area(b) - shared
    low = jnp.minimum(a[..., :2], b[..., :2])
    high = jnp.maximum(a[..., 2:], b[..., 2:])
    hull = area(jnp.concatenate([low, high], axis=-1))
    return shared / (union + epsilon) - (hull - union) / (hull + epsilon)


def distance_iou(a: jax.Array, b: jax.Array, *, epsilon: float = 1e-7) -> jax.Array:
    """DIoU (Zheng et al. 2019, https://arxiv.org/abs/1911.08287, equation 7).

    IoU minus the squared distance of the centres in squared diagonals of the hull.

    Args:
        a: Boxes [..., 4].
        b: Boxes [..., 4].
        epsilon: Added to the union and to the squared diagonal.

    Returns:
        DIoU in (-1, 1], [...].
    """
    low = jnp.minimum(a[..., :2], b[..., :2])
    high = jnp.maximum(a[..., 2:], b[..., 2:])
    diagonal = jnp.square(high - low).sum(axis=-1) + epsilon
    shift = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2
    return iou(a, b, epsilon=epsilon) - jnp.square(shift).sum(axis=-1) / diagonal


def complete_iou(a: jax.Array, b: jax.Array, *, epsilon: float = 1e-7) -> jax.Array:
    """CIoU (Zheng et al. 2019, https://arxiv.org/abs/1911.08287, equations 8 to 11).

    DIoU minus a term of the difference of the aspect ratios, whose weight has no gradient.

    Args:
        a: Boxes [..., 4].
        b: Boxes [..., 4].
        epsilon: Added to what is divided by, and to heights.

    Returns:
        CIoU, at most 1, [...].
    """
    angle_a, angle_b = (
        jnp.arctan((x[..., 2] - x[..., 0]) / (x[..., 3] - x[..., 1] + epsilon)) for x in (a, b)
    )
    aspect = 4 / math.pi**2 * jnp.square(angle_a - angle_b)
    weight = jax.lax.stop_gradient(aspect / (1 - iou(a, b, epsilon=epsilon) + aspect + epsilon))
    return distance_iou(a, b, epsilon=epsilon) - weight * aspect
