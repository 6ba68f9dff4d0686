"""Darknet's assignment: an object belongs to the anchor of its cell whose shape is nearest.

YOLO9000, Redmon and Farhadi 2016, https://arxiv.org/abs/1612.08242, section 2; over several maps:
YOLOv3, 2018, https://arxiv.org/abs/1804.02767, section 2.1; with further anchors: YOLOv4,
Bochkovskiy et al. 2020, https://arxiv.org/abs/2004.10934, section 3.4.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.ops.boxes import pairwise_iou, xyxy_to_cxcywh
from jaxvision.ops.grid_anchors import GridAnchors
from jaxvision.ops.objects import Objects


class Slots(NamedTuple):
    """Where the objects of an image belong.

    Attributes:
        anchor: For each object and each anchor shape of all maps, the index of the anchor in the
            object's cell [N, M] int32.
        valid: Whether they match [N, M].
        box: Object from the cell's corner in cells, and the logarithm of its size in anchors
            [N, M, 4].
    """

    anchor: jax.Array
    valid: jax.Array
    box: jax.Array


def best_anchor(objects: Objects, anchors: GridAnchors, *, also_above: float = 1.0) -> Slots:
    """Finds the anchors of the objects of one image; `jax.vmap` makes it a batch.

    Args:
        objects: Objects [N] of the image; padding may stand anywhere among them.
        anchors: The anchors, M shapes over all maps.
        also_above: Anchors whose shape has a higher IoU with the object match as well.
    """
    coded = xyxy_to_cxcywh(jnp.asarray(objects.boxes))
    center, size = coded[:, :2], jnp.maximum(coded[:, 2:], 1e-6)
    shapes = np.concatenate([level.sizes for level in anchors.levels])
    overlap = pairwise_iou(_at_origin(size), _at_origin(jnp.asarray(shapes)))
    best = overlap.argmax(axis=1)[:, None] == jnp.arange(len(shapes))[None]
    valid = (best | (overlap > also_above)) & objects.valid[:, None]

    index, boxes = [], []
    for level in anchors.levels:
        place = center / level.stride
        limit = jnp.asarray([level.columns - 1, level.rows - 1], jnp.float32)[None]
        cell = jnp.clip(jnp.floor(place), 0, limit)
        column, row = cell[:, 0].astype(jnp.int32), cell[:, 1].astype(jnp.int32)
        count = len(level.sizes)
        first = level.start + (row * level.columns + column) * count
        index.append(first[:, None] + jnp.arange(count)[None])
        log_size = jnp.log(size[:, None] / jnp.asarray(level.sizes)[None])
        shift = jnp.broadcast_to((place - cell)[:, None], log_size.shape)
        boxes.append(jnp.concatenate([shift, log_size], axis=-1))
    return Slots(jnp.concatenate(index, axis=1), valid, jnp.concatenate(boxes, axis=1))


def _at_origin(size: jax.Array) -> jax.Array:
    return jnp.concatenate([jnp.zeros_like(size), size], axis=-1)


def last_objects(slots: Slots, num_anchors: int) -> tuple[jax.Array, jax.Array]:
    """Returns the object of each anchor, of several the last, and its box's code.

    Args:
        slots: Of one image.
        num_anchors: A, of all maps.

    Returns:
        Index of the object [A] int32, -1 for none, and the code [A, 4].
    """
    objects, shapes = slots.valid.shape
    number = jnp.broadcast_to(jnp.arange(objects, dtype=jnp.int32)[:, None], slots.valid.shape)
    anchor = jnp.where(slots.valid, slots.anchor, num_anchors)
    matched = jnp.full(num_anchors, -1, jnp.int32).at[anchor].max(number, mode="drop")
    own = slots.valid & (matched.at[slots.anchor].get(mode="clip") == number)
    codes = jnp.zeros((num_anchors, 4)).at[jnp.where(own, anchor, num_anchors)]
    return matched, codes.set(slots.box, mode="drop")


def class_targets(
    slots: Slots, classes: jax.Array, num_anchors: int, num_classes: int
) -> jax.Array:
    """Marks the classes of all objects of an anchor, [A, K] float32 of 0 and 1."""
    anchor = jnp.where(slots.valid, slots.anchor, num_anchors)
    one_hot = jax.nn.one_hot(classes, num_classes)[:, None]
    one_hot = jnp.broadcast_to(one_hot, (*slots.valid.shape, num_classes))
    return jnp.zeros((num_anchors, num_classes)).at[anchor].max(one_hot, mode="drop")
