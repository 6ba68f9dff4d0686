"""Instance segmentation: a detector of two stages that draws the objects that it finds."""

import dataclasses
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from clu import metrics

from jaxvision.data.batch import DetectionBatch
from jaxvision.losses.detection.mask_rcnn import MaskRCNNMethod
from jaxvision.metrics.coco_masks import COCOMasks
from jaxvision.ops.objects import Objects
from jaxvision.tasks.task import Batch, Loss, ModelState, Params
from jaxvision.tasks.two_stage_detection import TwoStageDetection


class MaskDetections(NamedTuple):
    """As `Detections`, with a mask of each box.

    Attributes:
        boxes: [B, K, 4], xyxy in pixels of the network's input.
        scores: [B, K], in [0, 1], 0 for padding.
        classes: [B, K] int32.
        valid: False for padding [B, K] bool.
        masks: Probabilities within the box [B, K, M, M] float32.
    """

    boxes: jax.Array
    scores: jax.Array
    classes: jax.Array
    valid: jax.Array
    masks: jax.Array


@dataclasses.dataclass(frozen=True)
class MaskDetection(TwoStageDetection):
    """Trains Mask R-CNN on batches that hold `masks` [B, N, H, W].

    Attributes:
        method: Both stages and the masks.

    Raises:
        ValueError: As `DenseDetection`, and if another metric than COCO's is to be computed.
    """

    method: MaskRCNNMethod  # pyright: ignore[reportIncompatibleVariableOverride]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.metric != "coco":
            raise ValueError(f"metric must be coco where masks are drawn, got {self.metric}")

    def loss(
        self, params: Params, state: ModelState, batch: Batch, *, step: jax.Array, key: jax.Array
    ) -> Loss:
        """Adds the loss of the masks to those of the two stages."""
        del step
        found, levels, regions = self._stages(params, state, batch, key)
        drawn = self.method.drawn(regions)
        variables = {"params": params, **found.state}
        logits = self.model.apply(variables, levels, drawn.boxes, method="draw")
        objects = Objects(batch["boxes"], batch["classes"], batch["valid"], batch["masks"])
        targets = self.method.targets(drawn, objects, side=logits.shape[2])
        term = self.method.mask_loss(logits, drawn, targets)
        return Loss(found.value + term, found.state, {**found.logs, "mask": term})

    def predict(
        self, params: Params, state: ModelState, batch: Batch, *, key: jax.Array
    ) -> MaskDetections:
        """Finds objects and draws the mask of each box's class."""
        found = super().predict(params, state, batch, key=key)
        variables = {"params": params, **state}
        # The same features as those of the boxes: the compiler computes them once.
        levels = self.model.apply(variables, batch["image"], train=False, method="extract")
        logits = self.model.apply(variables, levels, found.boxes, method="draw")
        own = (found.classes + 1)[..., None, None, None]
        own = jnp.take_along_axis(logits, own, axis=4)[..., 0]
        return MaskDetections(*found, masks=jax.nn.sigmoid(own))

    def measure(self, predictions: Any, batch: Batch) -> metrics.Metric:
        """Compares boxes and masks with the objects of an evaluation batch."""
        return COCOMasks.from_model_output(
            **predictions._asdict(), batch=cast(DetectionBatch, batch), class_names=self.class_names
        )
