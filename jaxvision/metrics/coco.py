"""Average precision and recall as the COCO challenge defines them (https://cocodataset.org/#detection-eval).

AP is the mean over classes and over the IoU thresholds 0.50, 0.55, ..., 0.95 of the precision
interpolated at 101 recalls. A value without ground truth (a class or a size that no object has) is
NaN, which tables and JSON writers show as missing, and is left out of every mean.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import flax.struct
import numpy as np
from clu import metrics
from faster_coco_eval.core import mask as coco_mask
from faster_coco_eval.core.coco import COCO
from faster_coco_eval.core.faster_eval_api import COCOeval_faster

from jaxvision.data.batch import DetectionBatch
from jaxvision.metrics.records import leaves

# Positions on the axes of COCOeval's arrays.
SIZES = {"": 0, "_small": 1, "_medium": 2, "_large": 3}
MAX_DETECTIONS: tuple[int, ...] = (1, 10, 100)
IOU50, IOU75 = 0, 5

BATCH_KEYS = ("boxes", "classes", "valid", "crowd", "area", "scale", "mask", "index")


class ImageRecord(NamedTuple):
    """Detections and objects of one image, in pixels of the original image, without padding."""

    index: int
    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    object_boxes: np.ndarray
    object_classes: np.ndarray
    object_crowd: np.ndarray
    object_area: np.ndarray


@flax.struct.dataclass(eq=False)
class COCODetection(metrics.Metric):
    """COCO box AP and AR on the host, computed by faster-coco-eval.

    Attributes:
        class_names: Names of the classes; () in `empty()` only.
        records: A tree of tuples with `ImageRecord` leaves, so that merging copies nothing.
    """

    class_names: tuple[str, ...] = flax.struct.field(pytree_node=False)
    records: tuple[Any, ...] = flax.struct.field(pytree_node=False, repr=False)

    @classmethod
    def empty(cls) -> Self:
        """Returns the metric of no images: merging it changes nothing."""
        return cls(class_names=(), records=())

    @classmethod
    def from_model_output(
        cls,
        *,
        boxes: np.ndarray,
        scores: np.ndarray,
        classes: np.ndarray,
        valid: np.ndarray,
        batch: DetectionBatch,
        class_names: Sequence[str],
    ) -> Self:
        """Records the detections of one evaluation batch.

        Args:
            boxes: xyxy in pixels of the network's input [B, K, 4].
            scores: Confidence [B, K]; only their order matters.
            classes: Class of each detection [B, K], in [0, len(class_names)).
            valid: False for padding detections [B, K].
            batch: The evaluation batch; images whose `mask` is False are skipped.
            class_names: Names of the classes, all different.

        Returns:
            The metric of these images.

        Raises:
            ValueError: If the batch is not an evaluation batch, or a class has no name.
        """
        objects = {key: np.asarray(value) for key, value in batch.items() if key in BATCH_KEYS}
        missing = [key for key in BATCH_KEYS if key not in objects]
        if missing:
            raise ValueError(
                f"batch must be an evaluation batch, but it has no {', '.join(missing)}"
            )
        names = tuple(class_names)
        if not names or len(set(names)) != len(names):
            raise ValueError(f"class_names must be at least one name, all different, got {names}")
        # One transfer for each array, not one for each image.
        boxes, scores, classes, valid = map(np.asarray, (boxes, scores, classes, valid))
        records = []
        for i in np.flatnonzero(objects["mask"]):
            kept, real = valid[i].astype(bool), objects["valid"][i].astype(bool)
            scale = float(objects["scale"][i])
            record = ImageRecord(
                index=int(objects["index"][i]),
                boxes=boxes[i][kept].astype(np.float64) / scale,
                scores=scores[i][kept].astype(np.float64),
                classes=classes[i][kept],
                object_boxes=objects["boxes"][i][real].astype(np.float64) / scale,
                object_classes=objects["classes"][i][real],
                object_crowd=objects["crowd"][i][real].astype(bool),
                object_area=objects["area"][i][real].astype(np.float64),
            )
            for what in (record.classes, record.object_classes):
                if what.size and (what.min() < 0 or what.max() >= len(names)):
                    raise ValueError(
                        f"classes must be in [0, {len(names)}), got {what.min()} to {what.max()} "
                        f"in image {record.index}"
                    )
            records.append(record)
        return cls(class_names=names, records=tuple(records))

    def merge(self, other: "COCODetection") -> Self:
        """Joins the images of both.

        Raises:
            ValueError: If the classes differ.
        """
        if self.class_names and other.class_names and self.class_names != other.class_names:
            raise ValueError(
                f"class_names must be the same, got {self.class_names} and {other.class_names}"
            )
        return dataclasses.replace(
            self,
            class_names=self.class_names or other.class_names,
            records=(self.records, other.records),
        )

    def images(self) -> list[ImageRecord]:
        """Returns all images, sorted by index, so that no result depends on the batches.

        Raises:
            ValueError: If an image was evaluated twice.
        """
        records = sorted(leaves(self.records, ImageRecord), key=lambda record: record.index)
        for one, next_one in zip(records, records[1:], strict=False):
            if one.index == next_one.index:
                raise ValueError(f"every image must be evaluated once, got {one.index} twice")
        return records

    def compute(self) -> dict[str, float]:
        """Evaluates all images together.

        Returns:
            `AP`, `AP50`, `AP75`, `AP_small`, `AP_medium`, `AP_large`, `AR1`, `AR10`, `AR100`,
            `AR_small`, `AR_medium`, `AR_large`, and for each class `AP/<name>` and `AP50/<name>`,
            in [0, 1]; NaN where there is no ground truth.

        Raises:
            ValueError: If an image was evaluated twice.
        """
        return evaluated(self.images(), self.class_names)


def evaluated(
    records: Sequence[ImageRecord],
    class_names: Sequence[str],
    segmentations: Sequence[tuple[Sequence[Any], Sequence[Any]]] | None = None,
) -> dict[str, float]:
    """Evaluates images together; see `COCODetection.compute`.

    Args:
        records: The images.
        class_names: Names of the classes.
        segmentations: Masks of the detections and of the objects of each image, as run lengths,
            which are compared in place of the boxes.
    """
    num_classes = len(class_names)
    precision = np.full((10, 101, num_classes, len(SIZES), len(MAX_DETECTIONS)), -1.0)
    recall = np.full((10, num_classes, len(SIZES), len(MAX_DETECTIONS)), -1.0)
    if any(len(record.object_boxes) for record in records):
        found = _evaluate(records, num_classes, segmentations)
        precision, recall = found["precision"], found["recall"]
    values = {
        "AP": _mean(precision[:, :, :, 0, -1]),
        "AP50": _mean(precision[IOU50, :, :, 0, -1]),
        "AP75": _mean(precision[IOU75, :, :, 0, -1]),
    }
    values |= {f"AP{n}": _mean(precision[..., i, -1]) for n, i in SIZES.items() if n}
    values |= {f"AR{m}": _mean(recall[:, :, 0, i]) for i, m in enumerate(MAX_DETECTIONS)}
    values |= {f"AR{n}": _mean(recall[:, :, i, -1]) for n, i in SIZES.items() if n}
    for k, name in enumerate(class_names):
        values[f"AP/{name}"] = _mean(precision[:, :, k, 0, -1])
        values[f"AP50/{name}"] = _mean(precision[IOU50, :, k, 0, -1])
    return values


def _mean(values: np.ndarray) -> float:
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else float("nan")


def _evaluate(
    records: Sequence[ImageRecord],
    num_classes: int,
    segmentations: Sequence[tuple[Sequence[Any], Sequence[Any]]] | None,
) -> dict[str, np.ndarray]:
    """Runs COCOeval: precision [10, 101, classes, sizes, 3], recall [10, classes, sizes, 3]."""
    objects: list[dict[str, Any]] = []
    detections: list[dict[str, Any]] = []
    for i, record in enumerate(records):
        detected, true = ((), ()) if segmentations is None else segmentations[i]
        areas, crowds = record.object_area.tolist(), record.object_crowd.tolist()
        for annotation, area, crowd in zip(
            _annotations(record.index, record.object_boxes, record.object_classes, true),
            areas,
            crowds,
            strict=True,
        ):
            objects.append(annotation | {"area": area, "iscrowd": int(crowd)})
        for annotation, score in zip(
            _annotations(record.index, record.boxes, record.classes, detected),
            record.scores.tolist(),
            strict=True,
        ):
            width, height = annotation["bbox"][2:]
            area = width * height
            if segmentations is not None:
                area = float(coco_mask.area(annotation["segmentation"]))
            detections.append(annotation | {"area": area, "score": score})
    images = [{"id": record.index} for record in records]
    if segmentations is not None:
        for image, (detected, true) in zip(images, segmentations, strict=True):
            size = next((runs["size"] for runs in (*detected, *true)), (1, 1))
            image |= {"height": int(size[0]), "width": int(size[1])}
    categories = [{"id": k, "name": str(k)} for k in range(num_classes)]
    evaluation = COCOeval_faster(
        _dataset(images, categories, objects),
        _dataset(images, categories, detections),
        iouType="bbox" if segmentations is None else "segm",
        print_function=_silent,
    )
    evaluation.params.maxDets = list(MAX_DETECTIONS)
    evaluation.evaluate()
    evaluation.accumulate()
    return {name: np.asarray(evaluation.eval[name]) for name in ("precision", "recall")}


def _annotations(
    index: int, boxes: np.ndarray, classes: np.ndarray, segmentations: Sequence[Any]
) -> list[dict[str, Any]]:
    xywh = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()
    found = [
        {"image_id": index, "category_id": category, "bbox": box}
        for category, box in zip(classes.tolist(), xywh, strict=True)
    ]
    if not segmentations:
        return found
    return [
        {**annotation, "segmentation": runs}
        for annotation, runs in zip(found, segmentations, strict=True)
    ]


def _dataset(
    images: list[dict[str, Any]],
    categories: list[dict[str, Any]],
    annotations: list[dict[str, Any]],
) -> COCO:
    # From 1: COCOeval treats a match with annotation 0 as no match.
    for i, annotation in enumerate(annotations, start=1):
        annotation["id"] = i
    dataset = COCO(print_function=_silent)
    dataset.dataset = {"images": images, "categories": categories, "annotations": annotations}
    dataset.createIndex()
    return dataset


def _silent(*_: Any) -> None:
    pass
