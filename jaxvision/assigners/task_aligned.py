"""Task-aligned assignment: each object takes the anchors that classify and locate it best.

TOOD, Feng et al. 2021, https://arxiv.org/abs/2108.07755, section 3.2 and equations 6 to 8, as
YOLOv8 has it: only anchor points inside an object's box may be its own, overlaps are CIoUs, and of
several objects the one that an anchor's box overlaps most keeps it.
Departs from YOLOv8: an anchor whose metric is 0 is never taken. There such anchors fill up an
object's ten in an undefined order; their target is 0 in any case.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxvision.ops.boxes import complete_iou
from jaxvision.ops.objects import Objects
from jaxvision.ops.points import AnchorPoints


class AlignedAssignment(NamedTuple):
    """The object and the target score of each anchor.

    Attributes:
        matched: Index of the object [A] int32, -1 for background.
        score: Target of the object's class [A] float32 in [0, 1]: the metric, scaled so that an
            object's best anchor has its highest overlap; 0 for background.
    """

    matched: jax.Array
    score: jax.Array


def task_aligned(
    boxes: jax.Array,
    class_probabilities: jax.Array,
    points: AnchorPoints,
    objects: Objects,
    *,
    top_k: int = 10,
    class_power: float = 0.5,
    overlap_power: float = 6.0,
) -> AlignedAssignment:
    """Assigns the objects of one image to anchors; `jax.vmap` makes it a batch.

    Predictions enter as constants: no gradient flows back through the assignment.

    Args:
        boxes: Decoded predictions [A, 4], xyxy in pixels.
        class_probabilities: [A, K].
        points: The cells of the anchors.
        objects: Objects [N] of the image; padding may stand anywhere among them.
        top_k: Anchors that an object takes at most.
        class_power: Exponent of the class's probability in the metric, the paper's alpha.
        overlap_power: Exponent of the overlap, the paper's beta.
    """
    boxes, probabilities, gt_boxes = (
        jax.lax.stop_gradient(jnp.asarray(x, jnp.float32))
        for x in (boxes, class_probabilities, objects.boxes)
    )
    eligible = _inside(points, gt_boxes) & objects.valid[:, None]
    overlap = complete_iou(gt_boxes[:, None], boxes[None])
    overlap = jnp.where(eligible, jnp.maximum(overlap, 0.0), 0.0)
    probability = probabilities.T[objects.classes]
    metric = jnp.where(eligible, probability**class_power * overlap**overlap_power, 0.0)

    best, anchors = jax.lax.top_k(metric, min(top_k, metric.shape[1]))
    rows = jnp.arange(len(metric))[:, None]
    taken = jnp.zeros_like(eligible).at[rows, anchors].set(best > 0)
    # An anchor that several objects take goes to the one that it overlaps most.
    owner = jnp.where(taken.sum(axis=0) > 1, overlap.argmax(axis=0), taken.argmax(axis=0))
    matched = jnp.where(taken.any(axis=0), owner, -1).astype(jnp.int32)

    own = matched[None] == rows
    metric = jnp.where(own, metric, 0.0)
    highest_metric = metric.max(axis=1, keepdims=True)
    highest_overlap = jnp.where(own, overlap, 0.0).max(axis=1, keepdims=True)
    score = (metric * highest_overlap / (highest_metric + 1e-9)).max(axis=0)
    return AlignedAssignment(matched, score)


def _inside(points: AnchorPoints, gt_boxes: jax.Array) -> jax.Array:
    """Whether each point lies inside each object's box, [N, A]; the border is outside."""
    low = jnp.asarray(points.centers)[None] - gt_boxes[:, None, :2]
    high = gt_boxes[:, None, 2:] - jnp.asarray(points.centers)[None]
    return jnp.minimum(low, high).min(axis=-1) > 1e-9
