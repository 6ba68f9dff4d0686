"""The method of YOLOv8: task-aligned targets, CIoU, distributions of distances.

There is no paper; the loss and its weights are those of Ultralytics 8.2. The assignment: TOOD, Feng
et al. 2021, https://arxiv.org/abs/2108.07755. The distribution focal loss: Generalized Focal Loss,
Li et al. 2020, https://arxiv.org/abs/2006.04388, equation 6.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import optax

from jaxvision.assigners.task_aligned import AlignedAssignment, task_aligned
from jaxvision.losses.detection.method import DetectionLoss
from jaxvision.models.detection.detector_output import DetectorOutput
from jaxvision.models.detection.yolov8 import BINS, STRIDES
from jaxvision.ops import ranges
from jaxvision.ops.boxes import complete_iou
from jaxvision.ops.nms import Candidates
from jaxvision.ops.objects import Objects
from jaxvision.ops.points import AnchorPoints, anchor_points
from jaxvision.ops.top_pairs import top_pairs


@dataclasses.dataclass(frozen=True)
class YOLOv8Method:
    """Task-aligned assignment and YOLOv8's loss over one anchor point a cell.

    Attributes:
        strides: Of the network's maps, ascending.
        top_k: Anchors that an object takes at most.
        class_power: Exponent of the class's probability in the metric of the assignment.
        overlap_power: Exponent of the overlap in it.
        box_weight: Factor of the box term.
        class_weight: Factor of the classification term.
        distribution_weight: Factor of the distribution focal loss.
        pre_nms: Pairs of an anchor and a class that enter suppression, at most.

    Raises:
        ValueError: If a number is out of range.
    """

    strides: tuple[int, ...] = STRIDES
    top_k: int = 10
    class_power: float = 0.5
    overlap_power: float = 6.0
    box_weight: float = 7.5
    class_weight: float = 0.5
    distribution_weight: float = 1.5
    pre_nms: int = 3000

    def __post_init__(self) -> None:
        ranges.check(self, "[1, inf)", "top_k", "pre_nms")
        ranges.check(self, "[0, inf)", "class_power", "overlap_power")
        ranges.check(self, "[0, inf)", "box_weight", "class_weight", "distribution_weight")

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

        Each term is a sum over the batch divided by the sum of the target scores; the loss is their
        sum times the number of images.

        Args:
            output: Raw predictions [B, A].
            points: The cells of the anchors.
            objects: Objects [B, N] of the images.
            step: Not used: the loss does not change with time.
            key: Not used: nothing is sampled.

        Returns:
            `box`, `classification` (all anchors) and `distribution`; logs: `matches_per_object`.
        """
        del step, key
        boxes = decode_boxes(output.box_regression, points)
        assignment = self.assign(output, points, objects)
        score, matched = assignment.score, jnp.maximum(assignment.matched, 0)
        foreground = assignment.matched >= 0
        total = jnp.maximum(score.sum(), 1.0)

        classes = jnp.take_along_axis(objects.classes, matched, axis=1)
        one_hot = jax.nn.one_hot(classes, output.class_logits.shape[-1])
        classification = optax.sigmoid_binary_cross_entropy(
            output.class_logits, one_hot * score[..., None]
        )
        targets = jnp.take_along_axis(objects.boxes, matched[..., None], axis=1)
        # Background anchors get harmless boxes before they are masked: a masked nan is still a nan
        # in the backward pass.
        unit_box = jnp.asarray([0.0, 0.0, 1.0, 1.0])[None, None]
        targets, boxes = (jnp.where(foreground[..., None], x, unit_box) for x in (targets, boxes))
        # The epsilons of the IoU are for boxes in cells.
        strides = jnp.asarray(points.strides)[None, :, None]
        overlap = complete_iou(boxes / strides, targets / strides)
        distribution = distribution_focal_loss(output.box_regression, _distances(targets, points))
        return DetectionLoss(
            terms=dict(
                box=self.box_weight * ((1 - overlap) * score).sum() / total,
                classification=self.class_weight * classification.sum() / total,
                distribution=self.distribution_weight * (distribution * score).sum() / total,
            ),
            logs=dict(matches_per_object=foreground.sum() / jnp.maximum(objects.valid.sum(), 1)),
            scale=len(score),
        )

    def assign(
        self, output: DetectorOutput, points: AnchorPoints, objects: Objects
    ) -> AlignedAssignment:
        """Gives every anchor of a batch its object and its target score [B, A]."""
        # Without this the backward pass would keep every [N, A] array of the assignment.
        regression, logits = jax.lax.stop_gradient((output.box_regression, output.class_logits))
        assign = functools.partial(
            task_aligned,
            top_k=self.top_k,
            class_power=self.class_power,
            overlap_power=self.overlap_power,
        )
        return jax.vmap(assign, in_axes=(0, 0, None, 0))(
            decode_boxes(regression, points), jax.nn.sigmoid(logits), points, objects
        )

    def decode(self, output: DetectorOutput, points: AnchorPoints) -> Candidates:
        """Decodes the best pairs of an anchor and a class."""
        logits, index, classes = top_pairs(output.class_logits, self.pre_nms)
        boxes = decode_boxes(output.box_regression, points)
        return Candidates(
            boxes=jnp.take_along_axis(boxes, index[..., None], axis=1),
            scores=jax.nn.sigmoid(logits),
            classes=classes,
        )


def decode_boxes(regression: jax.Array, points: AnchorPoints) -> jax.Array:
    """Turns distributions of distances into boxes, by their means.

    Args:
        regression: Logits [B, A, 4 * 16] of the distances to the left, top, right and bottom.
        points: The cells of the anchors.

    Returns:
        Boxes [B, A, 4], xyxy in pixels.
    """
    logits = regression.reshape(*regression.shape[:-1], 4, BINS)
    distances = jax.nn.softmax(logits) @ jnp.arange(BINS, dtype=jnp.float32)
    distances = distances * jnp.asarray(points.strides)[None, :, None]
    centers = jnp.asarray(points.centers)[None]
    return jnp.concatenate([centers - distances[..., :2], centers + distances[..., 2:]], axis=-1)


def distribution_focal_loss(regression: jax.Array, distances: jax.Array) -> jax.Array:
    """Cross entropy with the two bins around a distance, weighted by how near they are.

    Args:
        regression: Logits [B, A, 4 * 16].
        distances: Targets [B, A, 4] in strides, in [0, 15).

    Returns:
        The mean over the four sides [B, A].
    """
    log_p = jax.nn.log_softmax(regression.reshape(*regression.shape[:-1], 4, BINS))
    # The weight of a bin is 1 - its distance from the target, for the two nearest.
    bins = jnp.arange(BINS, dtype=jnp.float32)[None, None, None]
    weights = jnp.maximum(1 - jnp.abs(distances[..., None] - bins), 0.0)
    return -(weights * log_p).sum(axis=-1).mean(axis=-1)


def _distances(boxes: jax.Array, points: AnchorPoints) -> jax.Array:
    """Distances of the sides from the points in strides, [B, A, 4]; those the bins can express."""
    centers = jnp.asarray(points.centers)[None]
    distances = jnp.concatenate([centers - boxes[..., :2], boxes[..., 2:] - centers], axis=-1)
    strides = jnp.asarray(points.strides)[None, :, None]
    return jnp.clip(distances / strides, 0.0, BINS - 1 - 0.01)
