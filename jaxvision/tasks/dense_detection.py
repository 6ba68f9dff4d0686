"""Object detection by one-stage networks: a network, its paper's method, NMS, COCO's metric."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any, Protocol, cast

import jax
import jax.numpy as jnp
from clu import metrics

from jaxvision.data.batch import DetectionBatch
from jaxvision.losses.detection.method import DetectionMethod
from jaxvision.metrics.coco import COCODetection
from jaxvision.metrics.voc import VOC07Detection, VOC10Detection
from jaxvision.ops import ranges
from jaxvision.ops.nms import Candidates, Detections
from jaxvision.ops.objects import Objects
from jaxvision.ops.suppression import KINDS, joined, suppress
from jaxvision.tasks.task import Batch, Loss, ModelState, Params

# By the value of `metric`.
METRICS = {"coco": COCODetection, "voc07": VOC07Detection, "voc10": VOC10Detection}
# Fields in which a network and a method agree, where both have them.
_SHARED = ("anchors_per_cell", "strides", "stride", "boxes", "layout")
# Sides of the images of another scale are multiples of it.
_STRIDE = 32


class Network(Protocol):
    """A Flax module that maps images [B, H, W, 3] to the raw predictions that a method takes."""

    @property
    def num_classes(self) -> int:
        """Number of classes it predicts."""
        ...

    def init(self, *args: Any, **kwargs: Any) -> Any:
        """Initialises the variables."""
        ...

    def apply(self, *args: Any, **kwargs: Any) -> Any:
        """Computes the predictions."""
        ...


@dataclasses.dataclass(frozen=True)
class DenseDetection:
    """Trains a one-stage detector on batches of `jaxvision.data.batch.DetectionBatch`.

    Attributes:
        model: The network, images [B, H, W, 3] to raw predictions; its classes are those of
            `class_names`.
        method: The paper's priors, loss and decoding, as `YOLOXMethod` or `RetinaNetMethod`.
        class_names: For the metric, by class index.
        score_threshold: Detections below are dropped.
        nms_threshold: IoU above which the worse of two boxes of a class is removed.
        max_detections: Detections an image, best first.
        max_candidates: The best so many boxes of an image enter suppression.
        class_aware: Whether only boxes of the same class suppress each other.
        wanted: Indices of the classes that are predicted; boxes of others are dropped before they
            suppress any. () for all.
        nms: What happens to overlapping boxes, one of `jaxvision.ops.suppression.KINDS`.
        nms_sigma: Of `soft_gaussian`.
        fusion_threshold: IoU above which `fusion` joins two boxes.
        flip: Whether images are also predicted as their mirror images (test-time augmentation).
        scales: Sizes at which images are predicted, 1 as they are; the boxes of all go through one
            suppression.
        metric: What evaluation computes: a name of `METRICS`.

    Raises:
        ValueError: If a threshold is outside of [0, 1], a number is not positive, there is no such
            kind of suppression or metric, the network takes images of one size alone and there are
            several, or the method holds values for another number of classes or anchors.
    """

    model: Network
    method: DetectionMethod
    class_names: tuple[str, ...]
    score_threshold: float = 0.001
    nms_threshold: float = 0.65
    max_detections: int = 300
    max_candidates: int = 1000
    class_aware: bool = True
    wanted: tuple[int, ...] = ()
    nms: str = "hard"
    nms_sigma: float = 0.5
    fusion_threshold: float = 0.55
    flip: bool = False
    scales: tuple[float, ...] = (1.0,)
    metric: str = "coco"

    def __post_init__(self) -> None:
        for field, known in (("nms", KINDS), ("metric", tuple(METRICS))):
            if getattr(self, field) not in known:
                got = getattr(self, field)
                raise ValueError(f"{field} must be one of {', '.join(known)}, got {got}")
        ranges.check(self, "(0, 4]", "scales")
        if not self.scales:
            raise ValueError("scales must be at least one number, got none")
        if tuple(self.scales) != (1.0,) and not self.any_size:
            raise ValueError(
                "scales must be (1.0,) for a network with fully connected layers, which takes "
                f"images of one size, got {self.scales}"
            )
        ranges.check(self, "(0, inf)", "nms_sigma")
        ranges.check(self, "[0, 1]", "score_threshold", "nms_threshold", "fusion_threshold")
        # Suppression compares each with each.
        ranges.check(self, "[1, 100_000]", "max_detections", "max_candidates")
        classes = len(self.class_names)
        if self.model.num_classes != classes:
            raise ValueError(
                f"class_names must be one for each of the network's {self.model.num_classes} "
                f"classes, got {classes}"
            )
        for field in _SHARED:
            has = [getattr(part, field, None) for part in (self.model, self.method)]
            if None not in has and has[0] != has[1]:
                raise ValueError(f"{field} must be {has[0]}, as the network has it, got {has[1]}")
        weights = getattr(self.method, "class_weights", None)
        if weights is not None and len(weights) != classes:
            raise ValueError(
                f"class_weights must be one for each of {classes} classes, got {len(weights)}"
            )

    def init(self, key: jax.Array, batch: Batch) -> tuple[Params, ModelState]:
        """Initialises the network for images of the batch's size."""
        state = dict(self.model.init(key, batch["image"][:1], train=False))
        return state.pop("params"), state

    def loss(
        self, params: Params, state: ModelState, batch: Batch, *, step: jax.Array, key: jax.Array
    ) -> Loss:
        """Computes the method's loss; its terms are logged by name."""
        network_key, method_key = jax.random.split(key)
        output, state = self.model.apply(
            {"params": params, **state},
            batch["image"],
            train=True,
            mutable=list(state),
            rngs={"dropout": network_key},
        )
        objects = Objects(batch["boxes"], batch["classes"], batch["valid"])
        loss = self.method.loss(output, self._priors(batch), objects, step=step, key=method_key)
        value = loss.scale * sum(loss.terms.values(), start=jnp.zeros(()))
        return Loss(value, state, {**loss.terms, **loss.logs})

    def predict(
        self, params: Params, state: ModelState, batch: Batch, *, key: jax.Array
    ) -> Detections:
        """Decodes the predictions of a batch and removes overlapping ones: detections [B, K]."""
        del key
        return jax.vmap(self.suppress)(self.views(params, state, batch))

    def candidates(self, params: Params, state: ModelState, batch: Batch) -> Candidates:
        """Decodes a batch as it is, without suppression: the best `max_candidates` of each image.

        The caller sees to other views.
        """
        return self.strongest(joined(self._members(params, state, batch)))

    def strongest(self, found: Candidates) -> Candidates:
        """Keeps the best `max_candidates` boxes of each image [B, A, 4]."""
        scores, order = jax.lax.top_k(found.scores, min(self.max_candidates, found.scores.shape[1]))
        return Candidates(
            boxes=jnp.take_along_axis(found.boxes, order[:, :, None], axis=1),
            scores=scores,
            classes=jnp.take_along_axis(found.classes, order, axis=1),
        )

    def suppress(self, views: Sequence[Candidates]) -> Detections:
        """Removes overlapping boxes of one image: candidates [C] of each view to detections [K]."""
        return suppress(
            views,
            kind=self.nms,
            iou_threshold=self.nms_threshold,
            score_threshold=self.score_threshold,
            max_detections=self.max_detections,
            max_candidates=self.max_candidates,
            class_aware=self.class_aware,
            sigma=self.nms_sigma,
            fusion_threshold=self.fusion_threshold,
        )

    def views(self, params: Params, state: ModelState, batch: Batch) -> list[Candidates]:
        """Decodes a batch at each of `scales`, and mirrored: boxes in pixels of the batch."""
        found = []
        images = batch["image"]
        for scale, mirrored in itertools.product(self.scales, (False, True)[: 1 + self.flip]):
            height, width = (scaled_side(side, scale) for side in images.shape[1:3])
            shown = resized(batch, height, width)
            if mirrored:
                shown = _mirrored(shown)
            for view in self._members(params, state, shown):
                boxes = _flipped(view.boxes, width) if mirrored else view.boxes
                found.append(view._replace(boxes=rescaled(boxes, (height, width), images.shape)))
        return found

    @property
    def any_size(self) -> bool:
        """Whether the network takes images of another size than those it was trained on."""
        return getattr(self.model, "any_size", True)

    def _members(self, params: Params, state: ModelState, batch: Batch) -> list[Candidates]:
        """Candidates [B, C] of the network; of an ensemble those of each member."""
        return [self.decoded(params, state, batch)]

    def decoded(self, params: Params, state: ModelState, batch: Batch) -> Candidates:
        """Decodes a batch: all boxes of each image [B, A, 4], in the method's order."""
        output = self.model.apply({"params": params, **state}, batch["image"], train=False)
        return self.among_wanted(self.method.decode(output, self._priors(batch)))

    def among_wanted(self, found: Candidates) -> Candidates:
        """Gives boxes of classes other than `wanted` a score below every threshold."""
        if not self.wanted:
            return found
        wanted = jnp.isin(found.classes, jnp.array(self.wanted))
        return found._replace(scores=jnp.where(wanted, found.scores, -1.0))

    def measure(self, predictions: Any, batch: Batch) -> metrics.Metric:
        """Compares detections with the objects of an evaluation batch, in original pixels."""
        return METRICS[self.metric].from_model_output(
            **predictions._asdict(), batch=cast(DetectionBatch, batch), class_names=self.class_names
        )

    def _priors(self, batch: Batch) -> Any:
        height, width = batch["image"].shape[1:3]
        return self.method.priors(height, width)


def resized(batch: Batch, height: int, width: int) -> Batch:
    """Resizes the images [B, H, W, 3] of a batch, and its proposals; of this size it stays."""
    images = batch["image"]
    if images.shape[1:3] == (height, width):
        return batch
    shape = (images.shape[0], height, width, images.shape[3])
    moved = {"image": jax.image.resize(images.astype(jnp.float32), shape, "linear")}
    if "proposals" in batch:
        moved["proposals"] = rescaled(batch["proposals"], images.shape[1:3], shape)
    return {**batch, **moved}


def rescaled(boxes: jax.Array, now: tuple[int, int], shape: Sequence[int]) -> jax.Array:
    """Maps boxes [B, C, 4] from images of a height and width to images of a shape [B, H, W, 3]."""
    if tuple(shape[1:3]) == now:
        return boxes
    y, x = shape[1] / now[0], shape[2] / now[1]
    return boxes * jnp.asarray([x, y, x, y], jnp.float32)[None, None]


def _mirrored(batch: Batch) -> Batch:
    images = batch["image"]
    moved = {"image": images[:, :, ::-1]}
    if "proposals" in batch:
        moved["proposals"] = _flipped(batch["proposals"], images.shape[2])
    return {**batch, **moved}


def _flipped(boxes: jax.Array, width: int) -> jax.Array:
    x1, y1, x2, y2 = (boxes[..., i] for i in range(4))
    return jnp.stack([width - x2, y1, width - x1, y2], axis=-1)


def scaled_side(side: int, scale: float) -> int:
    """Side of images of another scale, a multiple of 32 pixels."""
    return side if scale == 1 else max(_STRIDE, round(side * scale / _STRIDE) * _STRIDE)
