"""Non-maximum suppression with static shapes."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxvision.ops.boxes import pairwise_iou


class Candidates(NamedTuple):
    """Scored boxes of an image before suppression; with a leading batch axis, those of a batch.

    A candidate is a box with one class. A method that scores several classes for one box gives
    the box once for each class that it keeps.

    Attributes:
        boxes: [..., C, 4] float32, xyxy in pixels of the network's input.
        scores: [..., C] float32, in [0, 1].
        classes: [..., C] int32.
    """

    boxes: jax.Array
    scores: jax.Array
    classes: jax.Array


class Detections(NamedTuple):
    """The predictions of an image that remain, best first.

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
    candidates: Candidates,
    *,
    iou_threshold: float,
    score_threshold: float,
    max_detections: int,
    max_candidates: int = 1000,
    class_aware: bool = True,
) -> Detections:
    """Keeps each box that no better kept box overlaps; equal to the greedy algorithm.

    Args:
        candidates: Boxes [C, 4] of one image, in any order. Among equal scores the first is better.
        iou_threshold: A box is removed when its IoU with a better kept one is above this.
        score_threshold: Boxes with a score below this are dropped.
        max_detections: K; the best are kept.
        max_candidates: Only the best so many boxes enter. The result is that of all boxes wherever
            K of these remain, or C is not larger; memory grows with its square.
        class_aware: Whether only boxes of the same class suppress each other.

    Returns:
        K detections of one image, or C if that is less.
    """
    count = min(max_candidates, candidates.scores.shape[0])
    scores, order = jax.lax.top_k(candidates.scores, count)
    boxes, classes = candidates.boxes[order], candidates.classes[order]
    eligible = scores >= score_threshold

    rank = jnp.arange(count)
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

    scores, best = jax.lax.top_k(jnp.where(kept, scores, -1.0), min(max_detections, count))
    valid = scores >= 0
    return Detections(
        boxes=jnp.where(valid[:, None], boxes[best], 0.0),
        scores=jnp.where(valid, scores, 0.0),
        classes=jnp.where(valid, classes[best], 0),
        valid=valid,
    )
