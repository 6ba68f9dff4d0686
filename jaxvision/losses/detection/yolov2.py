"""The method of YOLOv2: one anchor an object, squared errors, objectness that predicts the overlap.

YOLO9000, Redmon and Farhadi 2016, https://arxiv.org/abs/1612.08242, section 2, as the authors' code
(region layer) has it: errors of a box are weighted by 2 minus its share of the image, the first
12,800 images pull all other boxes to their anchors. Departs from the code: the derivatives of
centre and objectness have the sigmoid's slope, which the code leaves out.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import optax

from jaxvision.assigners.best_anchor import best_anchor, last_objects
from jaxvision.losses.detection.anchor_method import AnchorMethod, Sizes
from jaxvision.losses.detection.method import DetectionLoss
from jaxvision.models.detection.detector_output import DetectorOutput, objectness_of
from jaxvision.ops import grid_boxes, ranges
from jaxvision.ops.boxes import iou, pairwise_iou
from jaxvision.ops.grid_anchors import GridAnchors, image_size
from jaxvision.ops.nms import Candidates
from jaxvision.ops.objects import Objects, without_padding


def _pixels(*cells: tuple[float, float]) -> Sizes:
    return (tuple((32 * width, 32 * height) for width, height in cells),)


# The authors' anchors, k-means of VOC and of COCO, from cells to pixels.
VOC_ANCHORS = _pixels(
    (1.3221, 1.73145),
    (3.19275, 4.00944),
    (5.05587, 8.09892),
    (9.47112, 4.84053),
    (11.2364, 10.0071),
)
TINY_VOC_ANCHORS = _pixels((1.08, 1.19), (3.42, 4.41), (6.63, 11.38), (9.42, 5.11), (16.62, 10.52))
COCO_ANCHORS = _pixels(
    (0.57273, 0.677385),
    (1.87446, 2.06253),
    (3.33843, 5.47434),
    (7.88282, 3.52778),
    (9.77052, 9.16828),
)


@dataclasses.dataclass(frozen=True)
class YOLOv2Method(AnchorMethod):
    """One anchor an object and YOLOv2's loss.

    Attributes:
        ignore_iou: A prediction without an object is ignored if it overlaps one by more.
        box_weight: Factor of the box terms.
        object_weight: Factor of the objectness of anchors with an object.
        background_weight: Factor of the objectness of the others.
        class_weight: Factor of the classification term.
        prior_weight: Factor of the errors of other boxes from their anchors.
        prior_images: Images after which that ends.

    Raises:
        ValueError: If a number is out of range.
    """

    anchors: Sizes = VOC_ANCHORS
    strides: tuple[int, ...] = (32,)
    ignore_iou: float = 0.6
    box_weight: float = 1.0
    object_weight: float = 5.0
    background_weight: float = 1.0
    class_weight: float = 1.0
    prior_weight: float = 0.01
    prior_images: int = 12_800

    def __post_init__(self) -> None:
        super().__post_init__()
        weights = ("box_weight", "object_weight", "background_weight", "class_weight")
        ranges.check(self, "[0, 1]", "ignore_iou")
        ranges.check(self, "[0, inf)", *weights, "prior_weight", "prior_images")

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
            step: Steps made so far: the prior ends after some images.
            key: Not used: nothing is sampled.

        Returns:
            `center`, `size`, `prior`, `objectness` and `classification`; logs:
            `matches_per_object`.
        """
        del key
        objects = without_padding(objects)
        batch, count, _ = output.class_logits.shape
        slots = jax.vmap(lambda x: best_anchor(x, anchors))(objects)
        matched, code = jax.vmap(functools.partial(last_objects, num_anchors=count))(slots)
        foreground, owner = matched >= 0, jnp.maximum(matched, 0)
        height, width = image_size(anchors)
        sides = objects.boxes[..., 2:] - objects.boxes[..., :2]
        share = sides.prod(axis=-1) / (height * width)
        weight = 2 - jnp.take_along_axis(share, owner, axis=1)
        weight = jnp.where(foreground, weight, 0.0)[..., None]

        place = jax.nn.sigmoid(output.box_regression[..., :2])
        log_size = output.box_regression[..., 2:]
        center = jnp.square(place - code[..., :2]) / 2
        size = jnp.square(log_size - code[..., 2:]) / 2
        prior = (jnp.square(place - 0.5) + jnp.square(log_size)).sum(axis=-1) / 2
        early = (step * batch < self.prior_images) * self.prior_weight

        overlap, near = self._overlaps(output, anchors, objects, owner)
        confidence = jax.nn.sigmoid(objectness_of(output))
        objectness = jnp.where(
            foreground,
            self.object_weight * jnp.square(confidence - overlap),
            jnp.where(near, 0.0, self.background_weight * jnp.square(confidence)),
        )
        classes = jnp.take_along_axis(objects.classes, owner, axis=1)
        classification = optax.softmax_cross_entropy_with_integer_labels(
            output.class_logits, classes
        )
        return DetectionLoss(
            terms=dict(
                center=self.box_weight * (weight * center).sum() / batch,
                size=self.box_weight * (weight * size).sum() / batch,
                prior=early * jnp.where(foreground, 0.0, prior).sum() / batch,
                objectness=objectness.sum() / 2 / batch,
                classification=self.class_weight
                * jnp.where(foreground, classification, 0.0).sum()
                / batch,
            ),
            logs=dict(matches_per_object=foreground.sum() / jnp.maximum(objects.valid.sum(), 1)),
        )

    def _overlaps(
        self, output: DetectorOutput, anchors: GridAnchors, objects: Objects, owner: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """IoU of each prediction with its object [B, A], and whether it is near to any object."""
        boxes = self._boxes(jax.lax.stop_gradient(output.box_regression), anchors)
        own = iou(boxes, jnp.take_along_axis(objects.boxes, owner[..., None], 1), epsilon=1e-9)
        every = jax.vmap(pairwise_iou)(objects.boxes, boxes)
        near = jnp.where(objects.valid[..., None], every, 0.0) > self.ignore_iou
        return own, near.any(axis=1)

    def decode(self, output: DetectorOutput, anchors: GridAnchors) -> Candidates:
        """Decodes the best pairs of an anchor and a class, scored class times objectness."""
        boxes = self._boxes(output.box_regression, anchors)
        return self.best_candidates(output, boxes, jax.nn.softmax(output.class_logits))

    def _boxes(self, regression: jax.Array, anchors: GridAnchors) -> jax.Array:
        return grid_boxes.decode(regression, anchors, (1.0,))
