"""Object detection by one-stage networks: a network, its paper's method, NMS, COCO's metric."""

import dataclasses
from typing import Any, Protocol, cast

import jax
import jax.numpy as jnp
from clu import metrics

from jaxvision.data.batch import DetectionBatch
from jaxvision.losses.detection.method import DetectionMethod
from jaxvision.metrics.coco import COCODetection
from jaxvision.ops.nms import Candidates, Detections, non_maximum_suppression
from jaxvision.ops.objects import Objects
from jaxvision.tasks.task import Batch, Loss, ModelState, Params


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

    Raises:
        ValueError: If a threshold is outside of [0, 1], a number is not positive, or the method
            holds values for another number of classes.
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

    def __post_init__(self) -> None:
        for field in ("score_threshold", "nms_threshold"):
            if not 0 <= getattr(self, field) <= 1:
                raise ValueError(f"{field} must be in [0, 1], got {getattr(self, field)}")
        for field in ("max_detections", "max_candidates"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be at least 1, got {getattr(self, field)}")
        classes = len(self.class_names)
        if self.model.num_classes != classes:
            raise ValueError(
                f"class_names must be one for each of the network's {self.model.num_classes} "
                f"classes, got {classes}"
            )
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
        return jax.vmap(self.suppress)(self.decoded(params, state, batch))

    def candidates(self, params: Params, state: ModelState, batch: Batch) -> Candidates:
        """Decodes a batch without suppression: the best `max_candidates` boxes of each image."""
        return self.strongest(self.decoded(params, state, batch))

    def strongest(self, found: Candidates) -> Candidates:
        """Keeps the best `max_candidates` boxes of each image [B, A, 4]."""
        scores, order = jax.lax.top_k(found.scores, min(self.max_candidates, found.scores.shape[1]))
        return Candidates(
            boxes=jnp.take_along_axis(found.boxes, order[:, :, None], axis=1),
            scores=scores,
            classes=jnp.take_along_axis(found.classes, order, axis=1),
        )

    def suppress(self, candidates: Candidates) -> Detections:
        """Removes overlapping boxes of one image: candidates [C] to detections [K]."""
        return non_maximum_suppression(
            candidates,
            iou_threshold=self.nms_threshold,
            score_threshold=self.score_threshold,
            max_detections=self.max_detections,
            max_candidates=self.max_candidates,
            class_aware=self.class_aware,
        )

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
        return COCODetection.from_model_output(
            **predictions._asdict(), batch=cast(DetectionBatch, batch), class_names=self.class_names
        )

    def _priors(self, batch: Batch) -> Any:
        height, width = batch["image"].shape[1:3]
        return self.method.priors(height, width)
