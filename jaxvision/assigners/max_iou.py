"""Assignment by overlap with anchor boxes, with a band of anchors that are ignored.

Faster R-CNN, Ren et al. 2015, https://arxiv.org/abs/1506.01497, section 3.1.2 (the region proposal
network: 0.7 and 0.3); RetinaNet, Lin et al. 2017, https://arxiv.org/abs/1708.02002, section 4 (0.5
and 0.4). Equal to torchvision's `Matcher`.
Departs from it: an object that overlaps no anchor matches none, where torchvision gives every
anchor without overlap to its first object.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.assigners.assignment import Assignment
from jaxvision.ops.boxes import pairwise_iou
from jaxvision.ops.objects import Objects


def max_iou(
    boxes: jax.Array | np.ndarray,
    objects: Objects,
    *,
    foreground_iou: float,
    background_iou: float,
    low_quality: bool = True,
) -> Assignment:
    """Gives each anchor of one image the object that it overlaps most; `jax.vmap` makes it a batch.

    Args:
        boxes: Anchors or proposals [A, 4], xyxy in pixels.
        objects: Objects [N] of the image; padding may stand anywhere among them.
        foreground_iou: An anchor matches its object from this IoU on.
        background_iou: Below this it is background, in between it is ignored.
        low_quality: Whether the anchors that overlap an object most match whatever their IoU
            (several if they tie), so that no object is without an anchor. Such an anchor still
            goes to the object that it overlaps most, which may be another one.

    Returns:
        The object of each anchor and their IoU. Among equal IoUs the first object is taken.

    Raises:
        ValueError: If not 0 <= `background_iou` <= `foreground_iou` <= 1.
    """
    check_thresholds(foreground_iou, background_iou)
    iou = pairwise_iou(jnp.asarray(objects.boxes), jnp.asarray(boxes))
    # Below every threshold: padding is never the nearest object.
    iou = jnp.where(objects.valid[:, None], iou, -1.0)
    # Whether two IoUs are equal decides below: all uses must see the same rounding, which a
    # compiler that computes the IoU once for each use does not promise.
    iou = jax.lax.optimization_barrier(iou)
    best, nearest = iou.max(axis=0), iou.argmax(axis=0).astype(jnp.int32)
    foreground = best >= foreground_iou
    if low_quality:
        highest = iou.max(axis=1, keepdims=True)
        foreground |= ((iou == highest) & (highest > 0)).any(axis=0)
    return Assignment(
        matched=jnp.where(foreground, nearest, -1),
        ignored=~foreground & (best >= background_iou),
        iou=jnp.where(foreground, best, 0.0),
    )


def check_thresholds(foreground_iou: float, background_iou: float) -> None:
    """Raises a ValueError unless 0 <= `background_iou` <= `foreground_iou` <= 1."""
    if not 0 <= background_iou <= foreground_iou <= 1:
        raise ValueError(
            "background_iou and foreground_iou must be in [0, 1] and not fall, "
            f"got {background_iou} and {foreground_iou}"
        )
