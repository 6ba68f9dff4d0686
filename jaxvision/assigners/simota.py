"""SimOTA: each object takes its k cheapest anchors, with k estimated from its predictions' IoUs.

YOLOX, Ge et al. 2021, https://arxiv.org/abs/2107.08430, section 2.1, after OTA (Ge et al. 2021,
https://arxiv.org/abs/2103.14259). Equal to the authors' present implementation by default
(centre regions of radius 1.5) and, by option, to the paper's (radius 2.5, or inside the box).
Departs from it: among equal costs the lowest anchor wins, where the authors' order is undefined.
"""

import jax
import jax.numpy as jnp

from jaxvision.assigners.assignment import Assignment
from jaxvision.ops.boxes import pairwise_iou
from jaxvision.ops.objects import Objects
from jaxvision.ops.points import AnchorPoints

# The penalty of an anchor for an object whose own region it lies outside of.
PENALTY = {"center": 1e6, "box_or_center": 1e5}


def simota(
    boxes: jax.Array,
    class_logits: jax.Array,
    objectness_logits: jax.Array,
    points: AnchorPoints,
    objects: Objects,
    *,
    center_radius: float = 1.5,
    candidates: str = "center",
    iou_weight: float = 3.0,
    top_k: int = 10,
) -> Assignment:
    """Assigns the objects of one image to anchors; `jax.vmap` makes it a batch.

    Predictions enter as constants: no gradient flows back through the assignment.

    Args:
        boxes: Decoded predictions [A, 4], xyxy in pixels.
        class_logits: [A, K].
        objectness_logits: [A].
        points: The cells of the anchors.
        objects: Objects [N] of the image; padding may stand anywhere among them.
        center_radius: Half the side of an object's centre region, in strides.
        candidates: `center`: anchors inside a centre region may match. `box_or_center`: also those
            inside a box, and those not in both pay (the paper's version, with `center_radius` 2.5).
        iou_weight: Weight of -log IoU in the cost, the paper's lambda.
        top_k: Number of an object's best IoUs whose sum estimates how many anchors it takes.

    Returns:
        The object of each anchor and their IoU; no anchor is ignored.

    Raises:
        ValueError: If `candidates` is neither of the two.
    """
    if candidates not in PENALTY:
        raise ValueError(f"candidates must be one of {', '.join(PENALTY)}, got {candidates}")
    # Without stop_gradient, the backward pass would keep every [N, A] array.
    boxes, class_logits, objectness_logits, gt_boxes = (
        jax.lax.stop_gradient(jnp.asarray(x, jnp.float32))
        for x in (boxes, class_logits, objectness_logits, objects.boxes)
    )
    valid = objects.valid
    in_center = in_center_region(points, gt_boxes, center_radius) & valid[:, None]
    if candidates == "center":
        eligible, preferred = in_center, in_center
    else:
        in_box = in_boxes(points, gt_boxes) & valid[:, None]
        eligible, preferred = in_box | in_center, in_box & in_center
    # Every object may match every candidate, also those outside of its own region.
    eligible_pair = valid[:, None] & eligible.any(axis=0)[None]

    iou = jnp.where(eligible_pair, pairwise_iou(gt_boxes, boxes), 0.0)
    cost = class_cost(class_logits, objectness_logits, objects.classes)
    cost = cost - iou_weight * jnp.log(iou + 1e-8)
    # Added last and in float32, as the reference does: next to a million, costs that differ by
    # less than its spacing of 1/16 are equal.
    cost = cost + jnp.where(preferred, 0.0, PENALTY[candidates])
    cost = jnp.where(eligible_pair, cost, jnp.inf)
    matched = dynamic_k_match(cost, iou, top_k=top_k)
    own_iou = jnp.take_along_axis(iou, jnp.maximum(matched, 0)[None], axis=0)[0]
    return Assignment(
        matched=matched,
        ignored=jnp.zeros_like(matched, bool),
        iou=jnp.where(matched >= 0, own_iou, 0.0),
    )


def in_center_region(points: AnchorPoints, gt_boxes: jax.Array, radius: float) -> jax.Array:
    """Whether each point is in each object's centre region, [N, A]; the border is outside."""
    center = (gt_boxes[:, None, :2] + gt_boxes[:, None, 2:]) / 2
    centers, reach = jnp.asarray(points.centers), jnp.asarray(points.strides) * radius
    return (
        (centers[None, :, 0] - center[..., 0] > -reach[None])
        & (centers[None, :, 0] - center[..., 0] < reach[None])
        & (centers[None, :, 1] - center[..., 1] > -reach[None])
        & (centers[None, :, 1] - center[..., 1] < reach[None])
    )


def in_boxes(points: AnchorPoints, gt_boxes: jax.Array) -> jax.Array:
    """Whether each point lies inside each object's box, [N, A]; the border is outside."""
    x, y = jnp.asarray(points.centers).T[:, None]
    x1, y1, x2, y2 = (gt_boxes[:, None, i] for i in range(4))
    return (x > x1) & (x < x2) & (y > y1) & (y < y2)


def class_cost(
    class_logits: jax.Array, objectness_logits: jax.Array, gt_classes: jax.Array
) -> jax.Array:
    """Binary cross entropy of every anchor's class scores against every object's class.

    The score is p = sqrt(sigmoid(class) * sigmoid(objectness)); logarithms are clamped at -100, as
    PyTorch does. The sum over "not this class" is the same for all objects, and an object adds one
    column of it: no array of N x A x K.

    Args:
        class_logits: [A, K].
        objectness_logits: [A].
        gt_classes: [N].

    Returns:
        Cost [N, A].
    """
    # Not through log_sigmoid: where the reference's product underflows, its logarithm is -100.
    p = jnp.sqrt(jax.nn.sigmoid(class_logits) * jax.nn.sigmoid(objectness_logits)[:, None])
    log_p = jnp.maximum(jnp.log(p), -100.0)
    log_not_p = jnp.maximum(jnp.log1p(-p), -100.0)
    one_hot = jax.nn.one_hot(gt_classes, class_logits.shape[-1], dtype=jnp.float32)
    own = jnp.matmul(one_hot, (log_not_p - log_p).T, precision=jax.lax.Precision.HIGHEST)
    return own - log_not_p.sum(axis=-1)[None]


def dynamic_k_match(cost: jax.Array, iou: jax.Array, *, top_k: int = 10) -> jax.Array:
    """Gives each object its k cheapest anchors, k the truncated sum of its best IoUs, at least 1.

    Args:
        cost: Assignment cost [N, A], lower is better, inf where a pair may not match.
        iou: IoU of objects and predicted boxes [N, A], in [0, 1], 0 where an anchor is no
            candidate.
        top_k: Number of best IoUs summed to estimate k.

    Returns:
        The object of each anchor [A] int32, -1 for none. An anchor that several objects take goes
        to the object with the lowest cost for it, even if that object did not take it.
    """
    num_objects, num_anchors = cost.shape
    top_k = min(top_k, num_anchors)
    k = jnp.maximum(jax.lax.top_k(iou, top_k)[0].sum(axis=1).astype(jnp.int32), 1)
    cheapest_cost, cheapest = jax.lax.top_k(-cost, top_k)
    taken = (jnp.arange(top_k)[None] < k[:, None]) & jnp.isfinite(cheapest_cost)

    # Scatters of N * top_k entries in place of an N x A matching matrix.
    anchors = jnp.where(taken, cheapest, num_anchors).reshape(-1)
    objects = jnp.repeat(jnp.arange(num_objects, dtype=jnp.int32), top_k)
    claims = jnp.zeros(num_anchors, jnp.int32).at[anchors].add(1, mode="drop")
    matched = jnp.full(num_anchors, -1, jnp.int32).at[anchors].max(objects, mode="drop")
    return jnp.where(claims > 1, jnp.argmin(cost, axis=0).astype(jnp.int32), matched)
