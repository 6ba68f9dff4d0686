"""COCO's average precision of instance masks, beside that of boxes (https://cocodataset.org).

Masks are compared at the size of the original image, as run lengths.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.struct
import numpy as np
from clu import metrics
from faster_coco_eval.core import mask as coco_mask

from jaxvision.data.batch import DetectionBatch
from jaxvision.metrics.coco import COCODetection, evaluated
from jaxvision.ops.region_masks import paste_masks

# Pixels of a mask are those with at least this probability.
THRESHOLD = 0.5


class MaskTruth(NamedTuple):
    """The masks of one image's objects, in the order of the batch.

    Attributes:
        size: Height and width of the original image in pixels.
        runs: Run lengths of each object, as COCO writes them: {size, counts}.
    """

    size: tuple[int, int]
    runs: tuple[dict[str, Any], ...]


class MaskRecord(NamedTuple):
    """Masks of the detections and of the objects of one image, as run lengths."""

    index: int
    detected: tuple[dict[str, Any], ...]
    objects: tuple[dict[str, Any], ...]


@flax.struct.dataclass(eq=False)
class COCOMasks(metrics.Metric):
    """AP and AR of boxes and of masks.

    Attributes:
        boxes: That of the boxes.
        masks: A tree of tuples with `MaskRecord` leaves, so that merging copies nothing.
    """

    boxes: COCODetection = flax.struct.field(pytree_node=False)
    masks: tuple[Any, ...] = flax.struct.field(pytree_node=False, repr=False)

    @classmethod
    def empty(cls) -> "COCOMasks":
        """Returns the metric of no images: merging it changes nothing."""
        return cls(COCODetection.empty(), ())

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
        records = []
        for i in np.flatnonzero(np.asarray(batch["mask"])):
            truth: MaskTruth = batch["truth"][i]
            placed = boxes[i][valid[i]] / float(np.asarray(batch["scale"])[i])
            pasted = paste_masks(masks[i][valid[i]], placed, truth.size) >= THRESHOLD
            records.append(MaskRecord(int(np.asarray(batch["index"])[i]), runs(pasted), truth.runs))
        return cls(found, tuple(records))

    def merge(self, other: "COCOMasks") -> "COCOMasks":
        """Joins the images of both.

        Raises:
            ValueError: If the classes differ.
        """
        return COCOMasks(self.boxes.merge(other.boxes), (self.masks, other.masks))

    def compute(self) -> dict[str, float]:
        """Evaluates all images together.

        Returns:
            The values of `COCODetection`, and as many of the masks: `mask_AP`, `mask_AP50`, ...

        Raises:
            ValueError: If an image was evaluated twice.
        """
        values = self.boxes.compute()
        masks = {record.index: record for record in _leaves(self.masks)}
        records = self.boxes.images()
        segmentations = [
            (masks[record.index].detected, masks[record.index].objects) for record in records
        ]
        found = evaluated(records, self.boxes.class_names, segmentations)
        return values | {f"mask_{name}": value for name, value in found.items()}


def runs(masks: np.ndarray) -> tuple[dict[str, Any], ...]:
    """Encodes masks [n, H, W] bool as run lengths by columns."""
    return tuple(coco_mask.encode(np.asfortranarray(mask, np.uint8)) for mask in masks)


def _leaves(tree: tuple[Any, ...]) -> list[MaskRecord]:
    # Not recursive: after merging batch by batch the tree is as deep as there are batches.
    leaves, stack = [], [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, MaskRecord):
            leaves.append(node)
        else:
            stack.extend(node)
    return leaves
