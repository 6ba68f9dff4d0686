"""Non-maximum suppression with static shapes."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxvision.ops.boxes import pairwise_iou


class Detections(NamedTuple):
    """What is left of an image's predictions, best first.

    Attributes:
        boxes: [..., K, 4], xyxy in pixels of the network's input.
        scores: [..., K], in [0, 1], 0 for padding.
        classes: [..., K] int32.
        valid: False for padding [..., K] bool.
    """

    boxes: jax.Array
    scores: jax.Array
    classes: jax.Array
    valid: jax.Array


def non_maximum_suppression(
    boxes: jax.Array,
    scores: jax.Array,
    classes: jax.Array,
    *,
    iou_threshold: float,
    score_threshold: float,
    max_detections: int,
    candidates: int = 1000,
    class_aware: bool = True,
) -> Detections:
    """Keeps each box that no better kept box overlaps; equal to the greedy algorithm.

    Args:
        boxes: [A, 4], xyxy in pixels.
        scores: [A], in [0, 1].
        classes: [A] int32.
        iou_threshold: A box goes when its IoU with a better one is above this.
        score_threshold: Boxes with a score below this are left out.
        max_detections: K; the best are kept.
        candidates: The best so many boxes enter.
        class_aware: Whether only boxes of the same class suppress each other.

    Returns:
        K detections of one image.
    """
    candidates = min(candidates, scores.shape[0])
    scores, order = jax.lax.top_k(scores, candidates)
    boxes, classes = boxes[order], classes[order]
    eligible = scores >= score_threshold

    rank = jnp.arange(candidates)
    suppresses = (pairwise_iou(boxes, boxes) > iou_threshold) & (rank[:, None] < rank[None])
    if class_aware:
        suppresses &= classes[:, None] == classes[None]
    suppresses = suppresses.astype(jnp.float32)

    # Instead of one box after the other, all at once until nothing changes: a box is kept if no
    # better box that is kept suppresses it. After round i the first i boxes are final, so the
    # fixed point is the greedy result; it takes as many rounds as the longest chain, a few.
    def round_(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        kept, _ = state
        suppressed = kept.astype(jnp.float32) @ suppresses > 0
        return eligible & ~suppressed, kept

    def changed(state: tuple[jax.Array, jax.Array]) -> jax.Array:
        return jnp.any(state[0] != state[1])

    kept, _ = jax.lax.while_loop(changed, round_, (eligible, jnp.zeros_like(eligible)))

    max_detections = min(max_detections, candidates)
    scores, best = jax.lax.top_k(jnp.where(kept, scores, -1.0), max_detections)
    valid = scores >= 0
    return Detections(
        boxes=jnp.where(valid[:, None], boxes[best], 0.0),
        scores=jnp.where(valid, scores, 0.0),
        classes=jnp.where(valid, classes[best], 0),
        valid=valid,
    )
