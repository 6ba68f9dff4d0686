"""The method of YOLOv3: one anchor an object, logistic losses, confident strangers ignored.

YOLOv3, Redmon and Farhadi 2018, https://arxiv.org/abs/1804.02767, sections 2.1 and 2.2, as the
authors' code has it: errors of a box are weighted by 2 minus its share of the image, that of the
centre is a cross entropy, predictions that overlap any object by more than 0.7 are ignored (the
paper: 0.5).
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import optax

from jaxvision.assigners.best_anchor import best_anchor, class_targets, last_objects
from jaxvision.losses.detection.anchor_method import AnchorMethod, Sizes
from jaxvision.losses.detection.method import DetectionLoss
from jaxvision.models.detection.detector_output import DetectorOutput, objectness_of
from jaxvision.ops import grid_boxes, ranges
from jaxvision.ops.boxes import pairwise_iou
from jaxvision.ops.grid_anchors import GridAnchors, image_size
from jaxvision.ops.nms import Candidates
from jaxvision.ops.objects import Objects

# Width and height in pixels of the anchors of each map, of the authors' networks for COCO.
ANCHORS: Sizes = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)
TINY_ANCHORS: Sizes = (
    ((10, 14), (23, 27), (37, 58)),
    ((81, 82), (135, 169), (344, 319)),
)


@dataclasses.dataclass(frozen=True)
class YOLOv3Method(AnchorMethod):
    """One anchor an object and YOLOv3's loss.

    Attributes:
        ignore_iou: A prediction without an object is ignored if it overlaps one by more.
        box_weight: Factor of the box terms.

    Raises:
        ValueError: If a number is out of range or the maps are not as many everywhere.
    """

    anchors: Sizes = ANCHORS
    strides: tuple[int, ...] = (8, 16, 32)
    ignore_iou: float = 0.7
    box_weight: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        ranges.check(self, "[0, 1]", "ignore_iou")
        ranges.check(self, "[0, inf)", "box_weight")

    def loss(
        self,
        output: DetectorOutput,
        anchors: GridAnchors,
        objects: Objects,
        *,
        step: jax.Array,
        key: jax.Array,
    ) -> DetectionLoss:
        """Compares predictions with the objects that the anchors' shapes fit best.

        Each term is a sum over an image, and the mean over the images.

        Args:
            output: Raw predictions [B, A].
            anchors: The anchors of the images.
            objects: Objects [B, N] of the images.
            step: Not used: the loss does not change with time.
            key: Not used: nothing is sampled.

        Returns:
            `center`, `size`, `objectness` and `classification`; logs: `matches_per_object`.
        """
        del step, key
        batch, count, num_classes = output.class_logits.shape
        slots = jax.vmap(lambda x: best_anchor(x, anchors))(objects)
        matched, code = jax.vmap(functools.partial(last_objects, num_anchors=count))(slots)
        of_classes = functools.partial(class_targets, num_anchors=count, num_classes=num_classes)
        classes = jax.vmap(of_classes)(slots, objects.classes)
        foreground = matched >= 0

        height, width = image_size(anchors)
        sides = objects.boxes[..., 2:] - objects.boxes[..., :2]
        share = sides.prod(axis=-1) / (height * width)
        weight = 2 - jnp.take_along_axis(share, jnp.maximum(matched, 0), axis=1)
        weight = jnp.where(foreground, weight, 0.0)[..., None]
        center = optax.sigmoid_binary_cross_entropy(output.box_regression[..., :2], code[..., :2])
        size = jnp.square(output.box_regression[..., 2:] - code[..., 2:]) / 2

        ignored = ~foreground & self._overlaps(output, anchors, objects)
        objectness = optax.sigmoid_binary_cross_entropy(
            objectness_of(output), foreground.astype(jnp.float32)
        )
        classification = optax.sigmoid_binary_cross_entropy(output.class_logits, classes)
        return DetectionLoss(
            terms=dict(
                center=self.box_weight * (weight * center).sum() / batch,
                size=self.box_weight * (weight * size).sum() / batch,
                objectness=jnp.where(ignored, 0.0, objectness).sum() / batch,
                classification=jnp.where(foreground[..., None], classification, 0.0).sum() / batch,
            ),
            logs=dict(matches_per_object=foreground.sum() / jnp.maximum(objects.valid.sum(), 1)),
        )

    def _overlaps(
        self, output: DetectorOutput, anchors: GridAnchors, objects: Objects
    ) -> jax.Array:
        """Whether each prediction [B, A] overlaps some object by more than `ignore_iou`."""
        boxes = self._boxes(jax.lax.stop_gradient(output.box_regression), anchors)
        overlap = jax.vmap(pairwise_iou)(objects.boxes, boxes)
        return (jnp.where(objects.valid[..., None], overlap, 0.0) > self.ignore_iou).any(axis=1)

    def decode(self, output: DetectorOutput, anchors: GridAnchors) -> Candidates:
        """Decodes the best pairs of an anchor and a class, scored class times objectness."""
        boxes = self._boxes(output.box_regression, anchors)
        return self.best_candidates(output, boxes, jax.nn.sigmoid(output.class_logits))

    def _boxes(self, regression: jax.Array, anchors: GridAnchors) -> jax.Array:
        return grid_boxes.decode(regression, anchors, (1.0,) * len(self.strides))
