"""Soft non-maximum suppression: overlapping boxes lose score instead of being removed.

Soft-NMS, Bodla et al. 2017, https://arxiv.org/abs/1704.04503, figure 2 and equations 2 and 3.
"""

import jax
import jax.numpy as jnp

from jaxvision.ops.boxes import pairwise_iou
from jaxvision.ops.nms import Candidates, Detections

DECAYS = ("linear", "gaussian")


def soft_non_maximum_suppression(
    candidates: Candidates,
    *,
    decay: str,
    iou_threshold: float,
    score_threshold: float,
    max_detections: int,
    max_candidates: int = 1000,
    class_aware: bool = True,
    sigma: float = 0.5,
) -> Detections:
    """Takes the best box, lowers the scores of those that overlap it, and so on.

    Args:
        candidates: Boxes [C, 4] of one image, in any order. Among equal scores the first is better.
        decay: What the score of a box of IoU u with the one taken is multiplied by: `linear`, 1 - u
            from `iou_threshold` on; `gaussian`, exp(-u^2 / sigma) at any overlap.
        iou_threshold: Of `linear`.
        score_threshold: Boxes are dropped when their score falls below this.
        max_detections: K.
        max_candidates: Only the best so many boxes enter.
        class_aware: Whether only boxes of the same class lower each other's scores.
        sigma: Of `gaussian`.

    Returns:
        K detections of one image, or C if that is less; best first by the lowered scores.

    Raises:
        ValueError: If there is no such decay, or `sigma` is not positive.
    """
    if decay not in DECAYS:
        raise ValueError(f"decay must be one of {', '.join(DECAYS)}, got {decay}")
    if not sigma > 0:
        raise ValueError(f"sigma must be above 0, got {sigma}")
    count = min(max_candidates, candidates.scores.shape[0])
    scores, order = jax.lax.top_k(candidates.scores, count)
    boxes, classes = candidates.boxes[order], candidates.classes[order]

    # Scores only fall, so those of the boxes taken never rise: no sorting at the end.
    def take(left: jax.Array, _: None) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        best = left.argmax()
        overlap = pairwise_iou(boxes[best][None], boxes)[0]
        if decay == "linear":
            factor = jnp.where(overlap >= iou_threshold, 1 - overlap, 1.0)
        else:
            factor = jnp.exp(-jnp.square(overlap) / sigma)
        if class_aware:
            factor = jnp.where(classes == classes[best], factor, 1.0)
        lowered = jnp.where(left > 0, left * factor, left)
        return lowered.at[best].set(-1.0), (best, left[best])

    _, (best, scores) = jax.lax.scan(take, scores, length=min(max_detections, count))
    valid = (scores >= score_threshold) & (scores >= 0)
    return Detections(
        boxes=jnp.where(valid[:, None], boxes[best], 0.0),
        scores=jnp.where(valid, scores, 0.0),
        classes=jnp.where(valid, classes[best], 0),
        valid=valid,
    )
