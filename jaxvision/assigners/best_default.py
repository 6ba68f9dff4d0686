"""SSD's assignment: each default box to what it overlaps, each object to its best default box.

SSD, Liu et al. 2015, https://arxiv.org/abs/1512.02325, section 2.2, "Matching strategy". Equal to
torchvision's `SSDMatcher`: an object that overlaps no box at all takes the first one.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.assigners.assignment import Assignment
from jaxvision.ops.boxes import pairwise_iou
from jaxvision.ops.objects import Objects


def best_default(
    boxes: jax.Array | np.ndarray, objects: Objects, *, foreground_iou: float = 0.5
) -> Assignment:
    """Gives each default box of one image its object; `jax.vmap` makes it a batch.

    Args:
        boxes: Default boxes [A, 4], xyxy in pixels.
        objects: Objects [N] of the image; padding may stand anywhere among them.
        foreground_iou: A box matches the object that it overlaps most from this IoU on. Beside
            that, an object takes the box that overlaps it most; of several objects with the same
            best box, the last takes it.

    Returns:
        The object of each box and their IoU; no box is ignored.
    """
    iou = pairwise_iou(jnp.asarray(objects.boxes), jnp.asarray(boxes))
    iou = jax.lax.optimization_barrier(jnp.where(objects.valid[:, None], iou, -1.0))
    matched = jnp.where(iou.max(axis=0) >= foreground_iou, iou.argmax(axis=0), -1)
    number = jnp.arange(len(iou))
    best = jnp.where(objects.valid, iou.argmax(axis=1), iou.shape[1])
    own = jnp.full(iou.shape[1], -1).at[best].max(number, mode="drop")
    matched = jnp.where(own >= 0, own, matched).astype(jnp.int32)
    overlap = jnp.take_along_axis(iou, jnp.maximum(matched, 0)[None], axis=0)[0]
    return Assignment(
        matched=matched,
        ignored=jnp.zeros_like(matched, bool),
        iou=jnp.where(matched >= 0, overlap, 0.0),
    )
