"""Object detection with YOLOX: SimOTA, the paper's loss, NMS and COCO's metric."""

import dataclasses
from typing import Any, cast

import jax
import jax.numpy as jnp
from clu import metrics

from jaxvision.assigners.simota import PENALTY, simota
from jaxvision.data.batch import DetectionBatch
from jaxvision.losses.detection.yolox import BOX_LOSSES, decode_boxes, yolox_loss
from jaxvision.metrics.coco import COCODetection
from jaxvision.models.detection.detector_output import DetectorOutput
from jaxvision.models.detection.yolox import STRIDES, YOLOX
from jaxvision.ops.nms import Detections, non_maximum_suppression
from jaxvision.ops.points import AnchorPoints, anchor_points
from jaxvision.tasks.task import Batch, Loss, ModelState, Params


@dataclasses.dataclass(frozen=True)
class YOLOXDetection:
    """Trains a YOLOX on batches of `jaxvision.data.batch.DetectionBatch`.

    Attributes:
        model: The network; its classes are those of `class_names`.
        class_names: For the metric, by class index.
        center_radius: Of SimOTA, in strides.
        candidates: Of SimOTA, `center` or `box_or_center`.
        box_loss: `iou` or `giou`.
        class_weights: Factor of the classification term for each of `class_names`, as those of
            `jaxvision.data.balance`; None for 1.
        l1_from_step: First step with the L1 term; None for never.
        score_threshold: Detections below are left out.
        nms_threshold: IoU above which the worse of two boxes of a class goes.
        max_detections: Detections an image, best first.

    Raises:
        ValueError: If `candidates` or `box_loss` is unknown, or there is not one weight for each
            class.
    """

    model: YOLOX
    class_names: tuple[str, ...]
    center_radius: float = 1.5
    candidates: str = "center"
    box_loss: str = "iou"
    class_weights: tuple[float, ...] | None = None
    l1_from_step: int | None = None
    score_threshold: float = 0.001
    nms_threshold: float = 0.65
    max_detections: int = 300

    def __post_init__(self) -> None:
        for field, known in (("candidates", tuple(PENALTY)), ("box_loss", BOX_LOSSES)):
            if getattr(self, field) not in known:
                raise ValueError(
                    f"{field} must be one of {', '.join(known)}, got {getattr(self, field)}"
                )

        if self.class_weights is not None and len(self.class_weights) != len(self.class_names):
            raise ValueError(
                f"class_weights must be one for each of {len(self.class_names)} classes, got "
                f"{len(self.class_weights)}"
            )

    def init(self, key: jax.Array, batch: Batch) -> tuple[Params, ModelState]:
        """Initialises the network for images of the batch's size."""
        variables = self.model.init(key, batch["image"][:1], train=False)
        return variables["params"], {"batch_stats": variables["batch_stats"]}

    def loss(
        self,
        params: Params,
        state: ModelState,
        batch: Batch,
        *,
        step: jax.Array,
        key: jax.Array,
    ) -> Loss:
        """Assigns the batch's objects to anchors and computes the paper's loss."""
        del key
        output, state = self.model.apply(
            {"params": params, **state}, batch["image"], train=True, mutable=list(state)
        )
        points = _points(batch)
        # Without this the backward pass would keep every [N, A] array of the assignment.
        fixed = jax.lax.stop_gradient(output)
        assignment = jax.vmap(
            lambda boxes, class_logits, objectness, gt_boxes, gt_classes, gt_valid: simota(
                boxes,
                class_logits,
                objectness,
                points.centers,
                points.strides,
                gt_boxes,
                gt_classes,
                gt_valid,
                center_radius=self.center_radius,
                candidates=self.candidates,
            )
        )(
            decode_boxes(fixed.box_regression, points),
            fixed.class_logits,
            fixed.objectness,
            batch["boxes"],
            batch["classes"],
            batch["valid"],
        )
        with_l1 = False if self.l1_from_step is None else step >= self.l1_from_step
        loss = yolox_loss(
            output,
            points,
            assignment,
            batch["boxes"],
            batch["classes"],
            batch["valid"],
            l1_weight=jnp.where(with_l1, 1.0, 0.0),
            box_loss=self.box_loss,
            class_weights=None if self.class_weights is None else jnp.asarray(self.class_weights),
        )
        logs = loss._asdict()
        return Loss(logs.pop("total"), state, logs)

    def predict(self, params: Params, state: ModelState, batch: Batch) -> Detections:
        """Decodes the predictions [B, K] of a batch and suppresses the overlapping ones."""
        output = self.model.apply({"params": params, **state}, batch["image"], train=False)
        return self.decode(cast(DetectorOutput, output), _points(batch))

    def decode(self, output: DetectorOutput, points: AnchorPoints) -> Detections:
        """Turns raw predictions for A anchors into detections [B, K], best first."""
        probabilities = jax.nn.sigmoid(output.class_logits)
        scores = jax.nn.sigmoid(output.objectness) * probabilities.max(axis=-1)
        return jax.vmap(
            lambda boxes, scores, classes: non_maximum_suppression(
                boxes,
                scores,
                classes,
                iou_threshold=self.nms_threshold,
                score_threshold=self.score_threshold,
                max_detections=self.max_detections,
            )
        )(
            decode_boxes(output.box_regression, points),
            scores,
            probabilities.argmax(axis=-1).astype(jnp.int32),
        )

    def measure(self, predictions: Any, batch: Batch) -> metrics.Metric:
        """Compares detections with the objects of an evaluation batch, in original pixels."""
        return COCODetection.from_model_output(
            **predictions._asdict(), batch=cast(DetectionBatch, batch), class_names=self.class_names
        )


def _points(batch: Batch) -> AnchorPoints:
    height, width = batch["image"].shape[1:3]
    return anchor_points(height, width, STRIDES)
