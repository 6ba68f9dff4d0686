"""The method of YOLOX: SimOTA's targets, four loss terms, and the coding of boxes.

YOLOX, Ge et al. 2021, https://arxiv.org/abs/2107.08430, section 2.1, as the authors'
implementation has it.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import optax

from jaxvision.assigners.assignment import Assignment
from jaxvision.assigners.simota import PENALTY, simota
from jaxvision.losses.detection.method import DetectionLoss
from jaxvision.models.detection.detector_output import DetectorOutput, objectness_of
from jaxvision.ops import ranges
from jaxvision.ops.boxes import cxcywh_to_xyxy, generalized_iou, iou, xyxy_to_cxcywh
from jaxvision.ops.nms import Candidates
from jaxvision.ops.objects import Objects
from jaxvision.ops.points import AnchorPoints, anchor_points

# By name: matched predictions and objects [..., 4] to losses [...]. 1e-16 as in the reference.
BOX_LOSSES = {
    "iou": lambda a, b: 1.0 - jnp.square(iou(a, b, epsilon=1e-16)),
    "plain_iou": lambda a, b: 1.0 - iou(a, b, epsilon=1e-16),
    "giou": lambda a, b: 1.0 - generalized_iou(a, b, epsilon=1e-16),
}


@dataclasses.dataclass(frozen=True)
class YOLOXMethod:
    """SimOTA and YOLOX's loss over one anchor point a cell.

    Attributes:
        strides: Of the network's maps, ascending.
        center_radius: Half the side of an object's centre region in SimOTA, in strides.
        candidates: Of SimOTA, `center` or `box_or_center`.
        iou_weight: Weight of -log IoU in SimOTA's cost, the paper's lambda.
        top_k: Number of an object's best IoUs whose sum estimates how many anchors it takes.
        box_loss: `iou` (1 - IoU^2), `plain_iou` (1 - IoU) or `giou` (1 - GIoU).
        box_weight: Factor of the box term.
        class_weights: Factors of the classification term of an anchor, by the class of its object,
            as `jaxvision.data.balance` computes them; None for 1. The sum is still divided by the
            number of matched anchors, not by their weights: weights whose mean over the objects is
            1 leave the balance of the terms about as it is.
        l1_from_step: First step with the L1 term; None for never.

    Raises:
        ValueError: If a name is unknown or a number is out of range.
    """

    strides: tuple[int, ...] = (8, 16, 32)
    center_radius: float = 1.5
    candidates: str = "center"
    iou_weight: float = 3.0
    top_k: int = 10
    box_loss: str = "iou"
    box_weight: float = 5.0
    class_weights: tuple[float, ...] | None = None
    l1_from_step: int | None = None

    def __post_init__(self) -> None:
        for field, known in (("candidates", PENALTY), ("box_loss", BOX_LOSSES)):
            if getattr(self, field) not in known:
                raise ValueError(
                    f"{field} must be one of {', '.join(known)}, got {getattr(self, field)}"
                )
        ranges.check(self, "(0, inf)", "center_radius")
        ranges.check(self, "[1, inf)", "top_k")
        ranges.check(self, "[0, inf)", "iou_weight", "box_weight")
        if self.class_weights is not None:
            ranges.check(self, "[0, inf)", "class_weights")

    def priors(self, height: int, width: int) -> AnchorPoints:
        """Lays out the cells of an image of this size."""
        return anchor_points(height, width, self.strides)

    def loss(
        self,
        output: DetectorOutput,
        points: AnchorPoints,
        objects: Objects,
        *,
        step: jax.Array,
        key: jax.Array,
    ) -> DetectionLoss:
        """Assigns the objects to anchors by the predictions and compares them.

        Each term is a sum over the batch divided by the number of matched anchors.

        Args:
            output: Raw predictions [B, A].
            points: The cells of the anchors.
            objects: Objects [B, N] of the images.
            step: Steps made so far.
            key: Not used: nothing is sampled.

        Returns:
            `box`, `objectness` (all anchors), `classification` (one-hot targets times IoU) and `l1`
            (of the raw box code); logs: `matches_per_object`.
        """
        del key
        assignment = self.assign(output, points, objects)
        return self.terms(output, points, objects, assignment, step=step)

    def assign(self, output: DetectorOutput, points: AnchorPoints, objects: Objects) -> Assignment:
        """Gives every anchor of a batch its object [B, A] by SimOTA."""
        # Without this the backward pass would keep every [N, A] array of the assignment.
        regression, class_logits, objectness = jax.lax.stop_gradient(
            (output.box_regression, output.class_logits, objectness_of(output))
        )
        assign = functools.partial(
            simota,
            center_radius=self.center_radius,
            candidates=self.candidates,
            iou_weight=self.iou_weight,
            top_k=self.top_k,
        )
        boxes = decode_boxes(regression, points)
        return jax.vmap(assign, in_axes=(0, 0, 0, None, 0))(
            boxes, class_logits, objectness, points, objects
        )

    def terms(
        self,
        output: DetectorOutput,
        points: AnchorPoints,
        objects: Objects,
        assignment: Assignment,
        *,
        step: jax.Array,
    ) -> DetectionLoss:
        """Computes the terms of `loss` for a given assignment [B, A]."""
        foreground = assignment.matched >= 0
        count = jnp.maximum(foreground.sum(), 1).astype(jnp.float32)
        matched = jnp.maximum(assignment.matched, 0)
        target_boxes = jnp.take_along_axis(objects.boxes, matched[..., None], axis=1)
        target_classes = jnp.take_along_axis(objects.classes, matched, axis=1)
        # Background anchors get a box and a target whose losses and gradients are harmless before
        # they are masked: a masked nan is still a nan in the backward pass.
        boxes = decode_boxes(output.box_regression, points)
        unit_box = jnp.asarray([0.0, 0.0, 1.0, 1.0])[None, None]
        boxes = jnp.where(foreground[..., None], boxes, unit_box)
        target_boxes = jnp.where(foreground[..., None], target_boxes, unit_box)

        def mean(losses: jax.Array) -> jax.Array:
            mask = foreground.reshape(foreground.shape + (1,) * (losses.ndim - foreground.ndim))
            return jnp.where(mask, losses, 0.0).sum() / count

        objectness = optax.sigmoid_binary_cross_entropy(
            objectness_of(output), foreground.astype(jnp.float32)
        )
        one_hot = jax.nn.one_hot(target_classes, output.class_logits.shape[-1])
        classification = optax.sigmoid_binary_cross_entropy(
            output.class_logits, one_hot * assignment.iou[..., None]
        )
        if self.class_weights is not None:
            classification *= jnp.asarray(self.class_weights)[target_classes][..., None]
        l1 = jnp.abs(output.box_regression - encode_boxes(target_boxes, points))
        with_l1 = False if self.l1_from_step is None else step >= self.l1_from_step
        return DetectionLoss(
            terms=dict(
                box=self.box_weight * mean(BOX_LOSSES[self.box_loss](boxes, target_boxes)),
                objectness=objectness.sum() / count,
                classification=mean(classification),
                l1=jnp.where(with_l1, 1.0, 0.0) * mean(l1),
            ),
            logs=dict(matches_per_object=foreground.sum() / jnp.maximum(objects.valid.sum(), 1)),
        )

    def decode(self, output: DetectorOutput, points: AnchorPoints) -> Candidates:
        """Gives every anchor [B, A] its most probable class, scored times objectness."""
        probabilities = jax.nn.sigmoid(output.class_logits)
        return Candidates(
            boxes=decode_boxes(output.box_regression, points),
            scores=jax.nn.sigmoid(objectness_of(output)) * probabilities.max(axis=-1),
            classes=probabilities.argmax(axis=-1).astype(jnp.int32),
        )


def decode_boxes(regression: jax.Array, points: AnchorPoints) -> jax.Array:
    """Turns raw regressions into boxes.

    The centre is an offset from the top left corner of a cell in strides, the size an exponential.

    Args:
        regression: [..., A, 4] as tx, ty, tw, th.
        points: The cells of the anchors.

    Returns:
        Boxes [..., A, 4], xyxy in pixels.
    """
    strides, corners = _cells(points, regression.ndim)
    center = regression[..., :2] * strides + corners
    # exp(15) strides are millions of pixels: clamped there, an early wild prediction stays finite.
    size = jnp.exp(jnp.minimum(regression[..., 2:], 15.0)) * strides
    return cxcywh_to_xyxy(jnp.concatenate([center, size], axis=-1))


def encode_boxes(boxes: jax.Array, points: AnchorPoints) -> jax.Array:
    """Inverts `decode_boxes`: boxes [..., A, 4], xyxy in pixels, to regressions [..., A, 4]."""
    strides, corners = _cells(points, boxes.ndim)
    coded = xyxy_to_cxcywh(boxes)
    center = (coded[..., :2] - corners) / strides
    return jnp.concatenate([center, jnp.log(coded[..., 2:] / strides + 1e-8)], axis=-1)


def _cells(points: AnchorPoints, ndim: int) -> tuple[jax.Array, jax.Array]:
    """Returns strides [..., A, 1] and top left corners [..., A, 2] for arrays of `ndim` axes."""
    leading = (1,) * (ndim - 2) + (-1,)
    strides = jnp.asarray(points.strides).reshape(*leading, 1)
    return strides, jnp.asarray(points.centers).reshape(*leading, 2) - strides / 2
