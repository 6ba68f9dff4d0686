"""The method of YOLOv4: several anchors an object, CIoU, centres that reach the cells' borders.

YOLOv4, Bochkovskiy et al. 2020, https://arxiv.org/abs/2004.10934, section 3.4, with the numbers of
the authors' yolov4.cfg. Departs from their code: the box term is the CIoU loss itself, whose
gradient by autodiff is not theirs, which skips the sigmoid's slope and changes the aspect term.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import optax

from jaxvision.assigners.best_anchor import Slots, best_anchor, class_targets
from jaxvision.losses.detection.anchor_method import AnchorMethod, Sizes
from jaxvision.losses.detection.method import DetectionLoss
from jaxvision.models.detection.detector_output import DetectorOutput, objectness_of
from jaxvision.ops import grid_boxes, ranges
from jaxvision.ops.boxes import complete_iou, pairwise_iou
from jaxvision.ops.grid_anchors import GridAnchors, image_size
from jaxvision.ops.nms import Candidates
from jaxvision.ops.objects import Objects

ANCHORS: Sizes = (
    ((12, 16), (19, 36), (40, 28)),
    ((36, 75), (76, 55), (72, 146)),
    ((142, 110), (192, 243), (459, 401)),
)
# The tiny network's finer map shares an anchor with its coarser one, as in the authors' file.
TINY_ANCHORS: Sizes = (
    ((23, 27), (37, 58), (81, 82)),
    ((81, 82), (135, 169), (344, 319)),
)


@dataclasses.dataclass(frozen=True)
class YOLOv4Method(AnchorMethod):
    """All anchors of a similar shape and YOLOv4's loss.

    Attributes:
        center_scales: Of each map, the range in cells of a predicted centre.
        match_iou: Anchors whose shape has a higher IoU with an object match it, beside the best.
        ignore_iou: A prediction without an object is ignored if it overlaps one by more, and some
            class's probability is above `ignore_probability`.
        ignore_probability: See `ignore_iou`.
        box_weight: Factor of the CIoU term.
        label_smoothing: Share of a class's target that all classes share.

    Raises:
        ValueError: If a number is out of range or the maps are not as many everywhere.
    """

    anchors: Sizes = ANCHORS
    strides: tuple[int, ...] = (8, 16, 32)
    center_scales: tuple[float, ...] = (1.2, 1.1, 1.05)
    match_iou: float = 0.213
    ignore_iou: float = 0.7
    ignore_probability: float = 0.25
    box_weight: float = 0.07
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.center_scales) != len(self.strides):
            raise ValueError(
                f"center_scales must be {len(self.strides)} numbers, got {self.center_scales}"
            )
        ranges.check(self, "[1, inf)", "center_scales")
        shares = "match_iou", "ignore_iou", "ignore_probability", "label_smoothing"
        ranges.check(self, "[0, 1]", *shares)
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
        """Compares predictions with the objects that the anchors' shapes fit.

        Each term is a sum over an image, and the mean over the images.

        Args:
            output: Raw predictions [B, A].
            anchors: The anchors of the images.
            objects: Objects [B, N] of the images.
            step: Not used: the loss does not change with time.
            key: Not used: nothing is sampled.

        Returns:
            `box`, `objectness` and `classification`; logs: `matches_per_object`.
        """
        del step, key
        batch, count, num_classes = output.class_logits.shape
        slots = self.assign(anchors, objects)
        of_classes = functools.partial(class_targets, num_anchors=count, num_classes=num_classes)
        classes = jax.vmap(of_classes)(slots, objects.classes)
        foreground = classes.max(axis=-1) > 0
        classes = classes * (1 - self.label_smoothing) + self.label_smoothing / num_classes

        overlap = self.pair_overlaps(output, anchors, objects, slots)
        box = jnp.where(slots.valid, 1 - overlap, 0.0)
        ignored = ~foreground & self._overlaps(output, anchors, objects)
        objectness = optax.sigmoid_binary_cross_entropy(
            objectness_of(output), foreground.astype(jnp.float32)
        )
        classification = optax.sigmoid_binary_cross_entropy(output.class_logits, classes)
        return DetectionLoss(
            terms=dict(
                box=self.box_weight * box.sum() / batch,
                objectness=jnp.where(ignored, 0.0, objectness).sum() / batch,
                classification=jnp.where(foreground[..., None], classification, 0.0).sum() / batch,
            ),
            logs=dict(matches_per_object=slots.valid.sum() / jnp.maximum(objects.valid.sum(), 1)),
        )

    def assign(self, anchors: GridAnchors, objects: Objects) -> Slots:
        """Finds the anchors of the objects of a batch."""
        assign = functools.partial(best_anchor, also_above=self.match_iou)
        return jax.vmap(lambda x: assign(x, anchors))(objects)

    def pair_overlaps(
        self, output: DetectorOutput, anchors: GridAnchors, objects: Objects, slots: Slots
    ) -> jax.Array:
        """Returns the CIoU of every pair of an object and an anchor shape [B, N, M].

        Sides are shares of the image's, as the authors have them: it is that of pixels where the
        image is square.
        """
        boxes = self._boxes(output.box_regression, anchors)
        rows = jnp.arange(len(boxes))[:, None, None]
        predicted = boxes[rows, slots.anchor]
        target = jnp.broadcast_to(objects.boxes[:, :, None], predicted.shape)
        # Other pairs get a harmless box: a masked nan is still a nan in the backward pass.
        unit = jnp.asarray([0.0, 0.0, 9.0, 9.0])[None, None, None]
        predicted, target = (
            jnp.where(slots.valid[..., None], x, unit) for x in (predicted, target)
        )
        height, width = image_size(anchors)
        sides = jnp.asarray([width, height, width, height], jnp.float32)[None, None, None]
        return complete_iou(predicted / sides, target / sides)

    def _overlaps(
        self, output: DetectorOutput, anchors: GridAnchors, objects: Objects
    ) -> jax.Array:
        """Whether each prediction [B, A] is that of an object, if not the one assigned."""
        regression, logits = jax.lax.stop_gradient((output.box_regression, output.class_logits))
        overlap = jax.vmap(pairwise_iou)(objects.boxes, self._boxes(regression, anchors))
        near = jnp.where(objects.valid[..., None], overlap, 0.0) > self.ignore_iou
        confident = jax.nn.sigmoid(logits).max(axis=-1) > self.ignore_probability
        return near.any(axis=1) & confident

    def decode(self, output: DetectorOutput, anchors: GridAnchors) -> Candidates:
        """Decodes the best pairs of an anchor and a class, scored class times objectness."""
        boxes = self._boxes(output.box_regression, anchors)
        return self.best_candidates(output, boxes, jax.nn.sigmoid(output.class_logits))

    def _boxes(self, regression: jax.Array, anchors: GridAnchors) -> jax.Array:
        return grid_boxes.decode(regression, anchors, self.center_scales)
