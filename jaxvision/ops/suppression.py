"""The ways to turn the candidates of an image, from one view or several, into detections."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from jaxvision.ops.box_fusion import fuse_boxes
from jaxvision.ops.nms import Candidates, Detections, non_maximum_suppression
from jaxvision.ops.soft_nms import soft_non_maximum_suppression

# Of overlapping boxes the best is kept, the others lose score, or all become their mean.
KINDS = ("hard", "soft_linear", "soft_gaussian", "fusion")


def suppress(
    views: Sequence[Candidates],
    *,
    kind: str,
    iou_threshold: float,
    score_threshold: float,
    max_detections: int,
    max_candidates: int = 1000,
    class_aware: bool = True,
    sigma: float = 0.5,
    fusion_threshold: float = 0.55,
) -> Detections:
    """Joins the candidates of several views of an image, or by several models.

    All go through one suppression, or, for `fusion`, those of each view through one of their own,
    and what is left is fused.

    Args:
        views: Boxes [C, 4] of one image in the same pixels, once for each view.
        kind: One of `KINDS`.
        iou_threshold: Of `non_maximum_suppression`, and of a linear decay.
        score_threshold: Boxes with a score below this are dropped.
        max_detections: K.
        max_candidates: Only the best so many boxes enter a suppression.
        class_aware: Whether only boxes of the same class have to do with each other.
        sigma: Of a Gaussian decay.
        fusion_threshold: Of `fuse_boxes`.

    Returns:
        K detections of one image, or as many as there are candidates if that is less.

    Raises:
        ValueError: If there is no such kind, or a number is out of its range.
    """
    if kind not in KINDS:
        raise ValueError(f"nms must be one of {', '.join(KINDS)}, got {kind}")
    limits: dict[str, Any] = dict(
        score_threshold=score_threshold,
        max_detections=max_detections,
        max_candidates=max_candidates,
        class_aware=class_aware,
    )
    if kind == "fusion":
        found = [
            non_maximum_suppression(view, iou_threshold=iou_threshold, **limits) for view in views
        ]
        kept = joined([Candidates(view.boxes, view.scores, view.classes) for view in found])
        return fuse_boxes(kept, models=len(views), iou_threshold=fusion_threshold, **limits)
    everything = joined(views)
    if kind == "hard":
        return non_maximum_suppression(everything, iou_threshold=iou_threshold, **limits)
    decay = kind.removeprefix("soft_")
    return soft_non_maximum_suppression(
        everything, decay=decay, iou_threshold=iou_threshold, sigma=sigma, **limits
    )


def joined(views: Sequence[Candidates]) -> Candidates:
    """Puts the candidates [..., C] of several views one after another."""
    if len(views) == 1:
        return views[0]
    boxes, scores, classes = zip(*views, strict=True)
    return Candidates(
        jnp.concatenate(boxes, axis=-2),
        jnp.concatenate(scores, axis=-1),
        jnp.concatenate(classes, axis=-1),
    )
