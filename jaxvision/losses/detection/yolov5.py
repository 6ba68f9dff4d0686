"""The method of YOLOv5: anchors of similar shape, CIoU, objectness that predicts the overlap.

There is no paper; the loss and its weights are those of release v7.0 (hyp.scratch-low).
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import optax

from jaxvision.assigners.anchor_ratio import NEIGHBOURS, Matches, anchor_ratio
from jaxvision.losses.detection.anchor_method import AnchorMethod, Sizes
from jaxvision.losses.detection.method import DetectionLoss
from jaxvision.models.detection.detector_output import DetectorOutput, objectness_of
from jaxvision.models.detection.yolov5 import STRIDES
from jaxvision.ops import ranges
from jaxvision.ops.boxes import complete_iou, cxcywh_to_xyxy
from jaxvision.ops.grid_anchors import GridAnchors, GridLevel
from jaxvision.ops.nms import Candidates
from jaxvision.ops.objects import Objects

# Width and height in pixels, of each map; k-means of COCO at 640 x 640.
COCO_ANCHORS: Sizes = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)


@dataclasses.dataclass(frozen=True)
class YOLOv5Method(AnchorMethod):
    """Matching by shape and YOLOv5's loss over three anchors a cell.

    Attributes:
        max_ratio: Width and height of an object and its anchors differ by less than this factor.
        box_weight: Factor of the box term.
        objectness_weight: Factor of the objectness term; the authors multiply it by the square of
            image size / 640.
        class_weight: Factor of the classification term, times K / 80.
        balance: Factors of the maps in the objectness term.

    Raises:
        ValueError: If a number is out of range or the maps are not as many everywhere.
    """

    anchors: Sizes = COCO_ANCHORS
    strides: tuple[int, ...] = STRIDES
    max_ratio: float = 4.0
    box_weight: float = 0.05
    objectness_weight: float = 1.0
    class_weight: float = 0.5
    balance: tuple[float, ...] = (4.0, 1.0, 0.4)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.balance) != len(self.strides):
            raise ValueError(
                f"balance must be {len(self.strides)} numbers, one a map, got {self.balance}"
            )
        ranges.check(self, "(1, inf)", "max_ratio")
        weights = "box_weight", "objectness_weight", "class_weight"
        ranges.check(self, "[0, inf)", *weights, "balance")

    def loss(
        self,
        output: DetectorOutput,
        anchors: GridAnchors,
        objects: Objects,
        *,
        step: jax.Array,
        key: jax.Array,
    ) -> DetectionLoss:
        """Compares predictions with the objects whose shape fits the anchors.

        The terms are means over the matches of each map, objectness over all its anchors; the loss
        is their sum times the number of images.

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
        box = objectness = classification = jnp.zeros(())
        matched = jnp.zeros((), jnp.int32)
        for level, balance in zip(anchors.levels, self.balance, strict=True):
            part = jax.tree.map(lambda x, level=level: x[:, level.anchors], output)
            match = functools.partial(anchor_ratio, level=level, max_ratio=self.max_ratio)
            matches = jax.vmap(match)(objects)
            terms = self._level_terms(part, level, matches, objects)
            box, classification = box + terms[0], classification + terms[1]
            objectness = objectness + balance * terms[2]
            matched = matched + matches.valid.sum()
        num_classes = output.class_logits.shape[-1]
        return DetectionLoss(
            terms=dict(
                box=self.box_weight * box,
                objectness=self.objectness_weight * objectness,
                classification=self.class_weight * num_classes / 80 * classification,
            ),
            logs=dict(matches_per_object=matched / jnp.maximum(objects.valid.sum(), 1)),
            scale=output.class_logits.shape[0],
        )

    def _level_terms(
        self, output: DetectorOutput, level: GridLevel, matches: Matches, objects: Objects
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Returns the means of box, classification and objectness losses on one map."""
        batch, count, num_classes = output.class_logits.shape
        valid = matches.valid
        found = jnp.maximum(valid.sum(), 1).astype(jnp.float32)
        rows = jnp.arange(batch)[:, None, None, None]

        def of_matches(x: jax.Array) -> jax.Array:
            return x[rows, matches.anchor]

        code = jax.nn.sigmoid(of_matches(output.box_regression))
        sizes = jnp.asarray(level.sizes / level.stride)[None, None, None]
        predicted = _box(code, sizes)
        target = jnp.broadcast_to(matches.box[..., None, :], predicted.shape)
        # Other pairs get a harmless box before they are masked: a masked nan is still a nan in the
        # backward pass.
        unit = jnp.ones((1,) * 4 + (4,))
        predicted, target = (jnp.where(valid[..., None], x, unit) for x in (predicted, target))
        overlap = complete_iou(cxcywh_to_xyxy(predicted), cxcywh_to_xyxy(target))
        box = jnp.where(valid, 1 - overlap, 0.0).sum() / found

        classification = jnp.zeros(())
        if num_classes > 1:
            one_hot = jax.nn.one_hot(objects.classes, num_classes)[:, :, None, None]
            logits = of_matches(output.class_logits)
            losses = optax.sigmoid_binary_cross_entropy(
                logits, jnp.broadcast_to(one_hot, logits.shape)
            )
            classification = jnp.where(valid[..., None], losses, 0.0).sum() / found / num_classes

        targets = _objectness_targets(matches, jax.lax.stop_gradient(overlap), batch, count)
        objectness = optax.sigmoid_binary_cross_entropy(objectness_of(output), targets).mean()
        return box, classification, objectness

    def decode(self, output: DetectorOutput, anchors: GridAnchors) -> Candidates:
        """Decodes the best pairs of an anchor and a class, scored class times objectness."""
        boxes = decode_boxes(output.box_regression, anchors)
        return self.best_candidates(output, boxes, jax.nn.sigmoid(output.class_logits))


def decode_boxes(regression: jax.Array, anchors: GridAnchors) -> jax.Array:
    """Turns raw regressions [B, A, 4] into boxes [B, A, 4], xyxy in pixels."""
    strides = jnp.asarray(anchors.strides)[None, :, None]
    boxes = _box(jax.nn.sigmoid(regression), jnp.asarray(anchors.sizes)[None] / strides) * strides
    center = boxes[..., :2] + jnp.asarray(anchors.corners)[None]
    return cxcywh_to_xyxy(jnp.concatenate([center, boxes[..., 2:]], axis=-1))


def _box(code: jax.Array, sizes: jax.Array) -> jax.Array:
    """Centre from the cell's corner and size, in strides.

    The centre may lie half a cell outside, the size is at most four anchors.
    """
    return jnp.concatenate([2 * code[..., :2] - 0.5, jnp.square(2 * code[..., 2:]) * sizes], -1)


def _objectness_targets(matches: Matches, overlap: jax.Array, batch: int, count: int) -> jax.Array:
    """Overlaps of the matches, 0 elsewhere: [B, A]. Of several at one anchor the last counts."""
    num_objects = overlap.shape[1]
    order = jnp.arange(len(NEIGHBOURS))[None] * num_objects + jnp.arange(num_objects)[:, None]
    order = jnp.where(matches.valid, order[None, ..., None], -1)
    rows = jnp.arange(batch)[:, None, None, None]
    last = jnp.full((batch, count), -1).at[rows, matches.anchor].max(order)
    own = matches.valid & (last[rows, matches.anchor] == order)
    index = jnp.where(own, matches.anchor, count)
    targets = jnp.zeros((batch, count)).at[rows, index].set(jnp.maximum(overlap, 0.0), mode="drop")
    return targets
