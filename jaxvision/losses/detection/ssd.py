"""The method of SSD: default boxes, smooth absolute error, the hardest of the background.

SSD, Liu et al. 2015, https://arxiv.org/abs/1512.02325, section 2.2. Equal to torchvision's.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import optax

from jaxvision.assigners.assignment import Assignment
from jaxvision.assigners.best_default import best_default
from jaxvision.losses.detection.hard_negatives import hardest
from jaxvision.losses.detection.method import DetectionLoss
from jaxvision.models.detection.detector_output import DetectorOutput
from jaxvision.models.detection.ssd import SSD300
from jaxvision.ops import box_coding, ranges
from jaxvision.ops.anchors import Anchors
from jaxvision.ops.boxes import clip_to_image, without_slivers
from jaxvision.ops.default_boxes import DefaultBoxes, default_boxes
from jaxvision.ops.nms import Candidates
from jaxvision.ops.objects import Objects
from jaxvision.ops.top_pairs import top_pairs

# The paper's variances 0.1 and 0.2, as factors of the offsets.
WEIGHTS = (10.0, 10.0, 5.0, 5.0)


@dataclasses.dataclass(frozen=True)
class SSDMethod:
    """Matching of default boxes and the multibox loss (equations 1 to 3).

    Attributes:
        layout: Of the network.
        foreground_iou: A default box matches an object from this IoU on.
        negatives: Boxes of the background in the loss, for each that matches: the hardest.
        box_weight: Factor of the box term, the paper's alpha.
        pre_nms: Pairs of a box and a class that enter suppression, at most.

    Raises:
        ValueError: If a number is out of range.
    """

    layout: DefaultBoxes = SSD300
    foreground_iou: float = 0.5
    negatives: float = 3.0
    box_weight: float = 1.0
    pre_nms: int = 3000

    def __post_init__(self) -> None:
        ranges.check(self, "[0, 1]", "foreground_iou")
        ranges.check(self, "[0, inf)", "negatives", "box_weight")
        ranges.check(self, "[1, inf)", "pre_nms")

    def priors(self, height: int, width: int) -> Anchors:
        """Lays out the default boxes of an image of this size."""
        return default_boxes(self.layout, height, width)

    def loss(
        self,
        output: DetectorOutput,
        anchors: Anchors,
        objects: Objects,
        *,
        step: jax.Array,
        key: jax.Array,
    ) -> DetectionLoss:
        """Compares predictions with the objects of the default boxes.

        Each term is a sum over the batch divided by the number of boxes that match.

        Args:
            output: Raw predictions [B, A].
            anchors: The default boxes of the images.
            objects: Objects [B, N] of the images.
            step: Not used: the loss does not change with time.
            key: Not used: nothing is sampled.

        Returns:
            `classification` (matched boxes and the hardest others) and `box` (smooth absolute
            error); logs: `matches_per_object`.
        """
        del step, key
        assignment = self.assign(anchors, objects)
        foreground = assignment.matched >= 0
        matched = jnp.maximum(assignment.matched, 0)
        count = jnp.maximum(foreground.sum(), 1)

        prior = jnp.asarray(anchors.boxes)[None]
        boxes = jnp.take_along_axis(objects.boxes, matched[..., None], axis=1)
        # The default box itself for background: a box without area would have an infinite code.
        boxes = jnp.where(foreground[..., None], boxes, prior)
        code = box_coding.encode(without_slivers(boxes), prior, WEIGHTS)
        error = optax.huber_loss(output.box_regression, code).sum(axis=-1)

        # 0 is the background.
        classes = jnp.take_along_axis(objects.classes, matched, axis=1)
        losses = optax.softmax_cross_entropy_with_integer_labels(
            output.class_logits, jnp.where(foreground, classes + 1, 0)
        )
        wanted = self.negatives * foreground.sum(axis=1, keepdims=True)
        used = foreground | hardest(losses, ~foreground, wanted)
        return DetectionLoss(
            terms=dict(
                classification=jnp.where(used, losses, 0.0).sum() / count,
                box=self.box_weight * jnp.where(foreground, error, 0.0).sum() / count,
            ),
            logs=dict(matches_per_object=foreground.sum() / jnp.maximum(objects.valid.sum(), 1)),
        )

    def assign(self, anchors: Anchors, objects: Objects) -> Assignment:
        """Gives every default box of a batch its object [B, A]."""
        assign = functools.partial(best_default, foreground_iou=self.foreground_iou)
        return jax.vmap(assign, in_axes=(None, 0))(anchors.boxes, objects)

    def decode(self, output: DetectorOutput, anchors: Anchors) -> Candidates:
        """Decodes the best pairs of a default box and a class, clipped to the image."""
        probabilities = jax.nn.softmax(output.class_logits)[..., 1:]
        scores, index, classes = top_pairs(probabilities, self.pre_nms)
        offsets = jnp.take_along_axis(output.box_regression, index[..., None], axis=1)
        boxes = box_coding.decode(offsets, jnp.asarray(anchors.boxes)[index], WEIGHTS)
        return Candidates(
            boxes=clip_to_image(boxes, anchors.height, anchors.width),
            scores=scores,
            classes=classes,
        )
