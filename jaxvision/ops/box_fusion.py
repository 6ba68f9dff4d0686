"""Weighted boxes fusion: detections of several models become means instead of being removed.

Solovyev et al. 2019, https://arxiv.org/abs/1910.13302, section 3.
"""

import jax
import jax.numpy as jnp

from jaxvision.ops.boxes import pairwise_iou
from jaxvision.ops.nms import Candidates, Detections


def fuse_boxes(
    candidates: Candidates,
    *,
    models: int,
    iou_threshold: float = 0.55,
    score_threshold: float = 0.0,
    max_detections: int = 300,
    max_candidates: int = 1000,
    class_aware: bool = True,
) -> Detections:
    """Joins the boxes of each object by their mean.

    Best first, each box joins the fused box of its class that it overlaps most, if the IoU is above
    a threshold, and else starts a new one. A fused box has the mean of its boxes' corners, weighted
    by their scores, and the mean of their scores times the share of the models that found it
    (equations 1 to 3 and 5; with more boxes than models the share is 1).

    Args:
        candidates: Boxes [C, 4] of one image, of all models one after another, each suppressed by
            itself. Among equal scores the first is better.
        models: How many models, or views of an image by one, the boxes come from.
        iou_threshold: A box joins a fused one that it overlaps by more.
        score_threshold: Boxes with a score below this are dropped before, fused ones after.
        max_detections: K.
        max_candidates: Only the best so many boxes enter.
        class_aware: Whether only boxes of the same class join. Otherwise a fused box has the class
            of its best one.

    Returns:
        K detections of one image, or C if that is less, best first.

    Raises:
        ValueError: If `models` is not positive.
    """
    if models < 1:
        raise ValueError(f"models must be at least 1, got {models}")
    count = min(max_candidates, candidates.scores.shape[0])
    scores, order = jax.lax.top_k(candidates.scores, count)
    boxes, classes = candidates.boxes[order], candidates.classes[order]
    eligible = (scores >= score_threshold) & (scores > 0)
    # A fused box is kept in the row of its first box, so that its class is that row's.
    slots = jnp.arange(count)

    def join(
        fused: tuple[jax.Array, jax.Array, jax.Array], row: jax.Array
    ) -> tuple[tuple[jax.Array, jax.Array, jax.Array], None]:
        corners, total, size = fused
        means = corners / jnp.maximum(total, 1e-12)[:, None]
        overlap = jnp.where(size > 0, pairwise_iou(boxes[row][None], means)[0], -1.0)
        if class_aware:
            overlap = jnp.where(classes == classes[row], overlap, -1.0)
        best = overlap.argmax()
        slot = jnp.where(overlap[best] > iou_threshold, best, row)
        here = ((slots == slot) & eligible[row]).astype(jnp.float32)
        weight = here * scores[row]
        corners = corners + weight[:, None] * boxes[row][None]
        return (corners, total + weight, size + here), None

    start = jnp.zeros((count, 4)), jnp.zeros(count), jnp.zeros(count)
    (corners, total, size), _ = jax.lax.scan(join, start, slots)
    share = jnp.minimum(size, models) / models
    found = jnp.where(size > 0, total / jnp.maximum(size, 1) * share, -1.0)
    found, best = jax.lax.top_k(found, min(max_detections, count))
    valid = (found >= score_threshold) & (found > 0)
    means = corners[best] / jnp.maximum(total[best], 1e-12)[:, None]
    return Detections(
        boxes=jnp.where(valid[:, None], means, 0.0),
        scores=jnp.where(valid, found, 0.0),
        classes=jnp.where(valid, classes[best], 0),
        valid=valid,
    )
