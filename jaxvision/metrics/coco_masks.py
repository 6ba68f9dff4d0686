"""COCO's average precision of instance masks, beside that of boxes (https://cocodataset.org).

Masks are compared at the size of the original image, as run lengths.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.struct
import numpy as np

from jaxvision.data.batch import DetectionBatch, MaskTruth
from jaxvision.data.segmentations import run_lengths
from jaxvision.metrics.coco import COCODetection, evaluated
from jaxvision.metrics.records import leaves
from jaxvision.ops.region_masks import paste_masks

# Pixels of a mask are those with at least this probability.
THRESHOLD = 0.5


class MaskRecord(NamedTuple):
    """Masks of the detections and of the objects of one image, as run lengths."""

    index: int
    detected: tuple[dict[str, Any], ...]
    objects: tuple[dict[str, Any], ...]


@flax.struct.dataclass(eq=False)
class COCOMasks(COCODetection):
    """AP and AR of boxes and of masks.

    Attributes:
        masks: A tree of tuples with `MaskRecord` leaves, so that merging copies nothing.
    """

    masks: tuple[Any, ...] = flax.struct.field(pytree_node=False, repr=False)

    @classmethod
    def empty(cls) -> "COCOMasks":
        """Returns the metric of no images: merging it changes nothing."""
        return cls(class_names=(), records=(), masks=())

    @classmethod
    def from_model_output(
        cls,
        *,
        boxes: np.ndarray,
        scores: np.ndarray,
        classes: np.ndarray,
        valid: np.ndarray,
        masks: np.ndarray,
        batch: DetectionBatch,
        class_names: Sequence[str],
    ) -> "COCOMasks":
        """Records the detections of one evaluation batch.

        Args:
            boxes: xyxy in pixels of the network's input [B, K, 4].
            scores: Confidence [B, K].
            classes: Class of each detection [B, K].
            valid: False for padding detections [B, K].
            masks: Probabilities within the boxes [B, K, M, M].
            batch: The evaluation batch, whose `truth` holds a `MaskTruth` of each image.
            class_names: Names of the classes.

        Raises:
            ValueError: If the batch is not an evaluation batch with masks.
        """
        if "truth" not in batch:
            raise ValueError("batch must be an evaluation batch with masks, but it has no truth")
        found = COCODetection.from_model_output(
            boxes=boxes,
            scores=scores,
            classes=classes,
            valid=valid,
            batch=batch,
            class_names=class_names,
        )
        boxes, valid, masks = map(np.asarray, (boxes, valid, masks))
        kept, index, scale = (np.asarray(batch.get(key)) for key in ("mask", "index", "scale"))
        records = []
        for i in np.flatnonzero(kept):
            truth: MaskTruth = batch["truth"][i]
            placed = boxes[i][valid[i]] / float(scale[i])
            pasted = paste_masks(masks[i][valid[i]], placed, truth.size) >= THRESHOLD
            number = int(index[i])
            records.append(MaskRecord(number, run_lengths(pasted), truth.runs))
        return cls(found.class_names, found.records, tuple(records))

    def merge(self, other: COCODetection) -> "COCOMasks":
        """Joins the images of both.

        Raises:
            ValueError: If the classes differ, or `other` has no masks.
        """
        if not isinstance(other, COCOMasks):
            raise ValueError(f"other must be COCOMasks, got {type(other).__name__}")
        joined = super().merge(other)
        return COCOMasks(joined.class_names, joined.records, (self.masks, other.masks))

    def compute(self) -> dict[str, float]:
        """Evaluates all images together.

        Returns:
            The values of `COCODetection`, and as many of the masks: `mask_AP`, `mask_AP50`, ...

        Raises:
            ValueError: If an image was evaluated twice.
        """
        values = super().compute()
        masks = {record.index: record for record in leaves(self.masks, MaskRecord)}
        records = self.images()
        segmentations = [
            (masks[record.index].detected, masks[record.index].objects) for record in records
        ]
        found = evaluated(records, self.class_names, segmentations)
        return values | {f"mask_{name}": value for name, value in found.items()}
