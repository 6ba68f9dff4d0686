"""The loss of YOLOX, and the box coding that it and decoding share.

YOLOX, Ge et al. 2021, https://arxiv.org/abs/2107.08430, section 2.1, as the authors'
implementation has it.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxvision.assigners.assignment import Assignment
from jaxvision.models.detection.detector_output import DetectorOutput
from jaxvision.ops.boxes import cxcywh_to_xyxy, generalized_iou, iou, xyxy_to_cxcywh
from jaxvision.ops.points import AnchorPoints

BOX_WEIGHT = 5.0
BOX_LOSSES = ("iou", "giou")


class YOLOXLoss(NamedTuple):
    """Scalars, each a sum over the batch divided by the number of matched anchors.

    Attributes:
        total: Sum of the terms.
        box: 1 - IoU^2 of matched anchors, times 5.
        objectness: Binary cross entropy over all anchors.
        classification: Binary cross entropy over matched anchors, one-hot targets times IoU; times
            the class's weight, if there are weights.
        l1: Absolute error of the raw box code, 0 while it is off.
        matches_per_object: Matched anchors per object.
    """

    total: jax.Array
    box: jax.Array
    objectness: jax.Array
    classification: jax.Array
    l1: jax.Array
    matches_per_object: jax.Array


def decode_boxes(regression: jax.Array, points: AnchorPoints) -> jax.Array:
    """Turns raw regressions into boxes.

    The centre is an offset from the top left corner of a cell in strides, the size an exponential.

    Args:
        regression: [..., A, 4] as tx, ty, tw, th.
        points: The cells of the anchors.

    Returns:
        Boxes [..., A, 4], xyxy in pixels.
    """
    shape = (1,) * (regression.ndim - 2) + (-1,)
    strides = jnp.asarray(points.strides).reshape(*shape, 1)
    corners = jnp.asarray(points.centers).reshape(*shape, 2) - strides / 2
    center = regression[..., :2] * strides + corners
    # exp(15) strides are millions of pixels: cut there, an early wild prediction stays finite.
    size = jnp.exp(jnp.minimum(regression[..., 2:], 15.0)) * strides
    return cxcywh_to_xyxy(jnp.concatenate([center, size], axis=-1))


def encode_boxes(boxes: jax.Array, points: AnchorPoints) -> jax.Array:
    """Inverts `decode_boxes`: boxes [..., A, 4], xyxy in pixels, to regressions [..., A, 4]."""
    shape = (1,) * (boxes.ndim - 2) + (-1,)
    strides = jnp.asarray(points.strides).reshape(*shape, 1)
    corners = jnp.asarray(points.centers).reshape(*shape, 2) - strides / 2
    coded = xyxy_to_cxcywh(boxes)
    center = (coded[..., :2] - corners) / strides
    return jnp.concatenate([center, jnp.log(coded[..., 2:] / strides + 1e-8)], axis=-1)


def yolox_loss(
    output: DetectorOutput,
    points: AnchorPoints,
    assignment: Assignment,
    gt_boxes: jax.Array,
    gt_classes: jax.Array,
    gt_valid: jax.Array,
    *,
    l1_weight: jax.Array | float = 0.0,
    box_loss: str = "iou",
    class_weights: jax.Array | None = None,
) -> YOLOXLoss:
    """Computes the four terms for a batch.

    Args:
        output: Raw predictions for A anchors.
        points: The cells of the anchors.
        assignment: The object of every anchor [B, A] and their IoU [B, A].
        gt_boxes: Objects [B, N, 4], xyxy in pixels.
        gt_classes: [B, N], in [0, K).
        gt_valid: False for padding objects [B, N].
        l1_weight: 1 in the last epochs, 0 before.
        box_loss: `iou` (1 - IoU^2) or `giou` (1 - GIoU).
        class_weights: Factors [K] of the classification term of an anchor, by the class of its
            object. The sum is still divided by the number of matched anchors, not by their weights:
            weights whose mean over the objects is 1 leave the balance of the terms about as it is.

    Raises:
        ValueError: If `box_loss` is none of the two.
    """
    if box_loss not in BOX_LOSSES:
        raise ValueError(f"box_loss must be one of {', '.join(BOX_LOSSES)}, got {box_loss}")
    foreground = assignment.matched >= 0
    count = jnp.maximum(foreground.sum(), 1).astype(jnp.float32)
    matched = jnp.maximum(assignment.matched, 0)
    target_boxes = jnp.take_along_axis(gt_boxes, matched[..., None], axis=1)
    target_classes = jnp.take_along_axis(gt_classes, matched, axis=1)
    # Background anchors get a box and a target whose losses and gradients are harmless before
    # they are masked: a masked nan is still a nan in the backward pass.
    boxes = decode_boxes(output.box_regression, points)
    unit_box = jnp.asarray([0.0, 0.0, 1.0, 1.0])[None, None]
    boxes = jnp.where(foreground[..., None], boxes, unit_box)
    target_boxes = jnp.where(foreground[..., None], target_boxes, unit_box)

    def mean(terms: jax.Array) -> jax.Array:
        mask = foreground.reshape(foreground.shape + (1,) * (terms.ndim - foreground.ndim))
        return jnp.where(mask, terms, 0.0).sum() / count

    if box_loss == "iou":
        box = 1.0 - jnp.square(iou(boxes, target_boxes, epsilon=1e-16))
    else:
        box = 1.0 - generalized_iou(boxes, target_boxes, epsilon=1e-16)
    objectness = optax.sigmoid_binary_cross_entropy(
        output.objectness, foreground.astype(jnp.float32)
    )
    one_hot = jax.nn.one_hot(target_classes, output.class_logits.shape[-1])
    classification = optax.sigmoid_binary_cross_entropy(
        output.class_logits, one_hot * assignment.iou[..., None]
    )
    if class_weights is not None:
        classification *= class_weights[target_classes][..., None]
    l1 = jnp.abs(output.box_regression - encode_boxes(target_boxes, points))

    terms = dict(
        box=BOX_WEIGHT * mean(box),
        objectness=objectness.sum() / count,
        classification=mean(classification),
        l1=l1_weight * mean(l1),
    )
    objects = jnp.maximum(gt_valid.sum(), 1)
    return YOLOXLoss(
        total=sum(terms.values(), start=jnp.zeros(())),
        **terms,
        matches_per_object=foreground.sum() / objects,
    )
