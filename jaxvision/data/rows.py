"""From a sample to one row of a batch, one function a task; `batch.py` says what batches hold."""

import numpy as np

from jaxvision.data.batch import MaskTruth
from jaxvision.data.border_weights import BorderWeights
from jaxvision.data.sample import ImageObjects, Sample
from jaxvision.data.segmentations import run_lengths

Row = dict[str, np.ndarray]


def pad_objects(max_objects: int, **arrays: np.ndarray) -> Row:
    """Pads arrays [n, ...] with zeros to [max_objects, ...], or cuts them.

    Returns:
        The arrays by their names, and `valid` [max_objects], True where there was an object.
    """
    padded = {}
    for name, array in arrays.items():
        padded[name] = np.zeros((max_objects, *array.shape[1:]), array.dtype)
        padded[name][: len(array)] = array[:max_objects]
    count = len(next(iter(arrays.values())))
    return {**padded, "valid": np.arange(max_objects) < count}


def detection_row(
    sample: Sample, max_objects: int, max_proposals: int = 0, masks: bool = False
) -> Row:
    """Returns image, index, boxes [N, 4], classes [N] and valid [N] for training.

    With `max_proposals`, also `proposals` [P, 4] and `proposal_valid` [P]; with `masks`, `masks`
    [N, H, W].
    """
    objects = _objects(sample)
    arrays = {"boxes": objects.boxes, "classes": objects.classes}
    if masks:
        arrays["masks"] = _masks(sample, objects)
    padded = pad_objects(max_objects, **arrays)
    if max_proposals:
        padded |= proposal_row(sample, max_proposals)
    return {"image": sample.image, "index": np.asarray(sample.index, np.int32), **padded}


def proposal_row(sample: Sample, max_proposals: int) -> Row:
    """Returns the regions of a sample that have an area: `proposals` and `proposal_valid`.

    Raises:
        ValueError: If the sample has none.
    """
    boxes = sample.proposals
    if boxes is None:
        raise ValueError(
            f"example {sample.index} has no proposals; set data.proposals to selective_search, or "
            "pack the dataset with them"
        )
    boxes = boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]
    padded = pad_objects(max_proposals, proposals=boxes.astype(np.float32))
    return {"proposals": padded["proposals"], "proposal_valid": padded["valid"]}


def detection_eval_row(sample: Sample, max_objects: int, max_proposals: int = 0) -> Row:
    """Returns the keys of a `DetectionBatch` for evaluation, all but `mask`."""
    objects = _objects(sample)
    padded = pad_objects(max_objects, crowd=objects.crowd, area=objects.area)
    scale = np.asarray(sample.scale, np.float32)
    return {**detection_row(sample, max_objects, max_proposals), **padded, "scale": scale}


def classification_row(sample: Sample) -> Row:
    """Returns image, index, and label [] or targets [K]."""
    if sample.label is None:
        raise ValueError(f"example {sample.index} has no label; use a classification dataset")
    index = np.asarray(sample.index, np.int32)
    name = "label" if sample.label.ndim == 0 else "targets"
    return {"image": sample.image, name: sample.label, "index": index}


def segmentation_row(sample: Sample, border: BorderWeights | None = None) -> Row:
    """Returns image, index and label map [H, W], and pixel weights [H, W] if `border` is given."""
    if sample.mask is None:
        raise ValueError(f"example {sample.index} has no label map; use a segmentation dataset")
    index = np.asarray(sample.index, np.int32)
    row = {"image": sample.image, "label_map": sample.mask.astype(np.int32), "index": index}
    return row if border is None else {**row, "pixel_weights": border(sample.mask)}


def super_resolution_row(sample: Sample) -> Row:
    """Returns image [H, W, C], target [s * H, s * W, 3] and index."""
    if sample.target is None:
        raise ValueError(f"example {sample.index} has no target; degrade the pictures first")
    index = np.asarray(sample.index, np.int32)
    return {"image": sample.image, "target": sample.target, "index": index}


def mask_truth(sample: Sample) -> MaskTruth:
    """Returns the masks of a sample that no transform has changed, as run lengths."""
    return MaskTruth(sample.size, run_lengths(_masks(sample, _objects(sample))))


def _masks(sample: Sample, objects: ImageObjects) -> np.ndarray:
    if objects.masks is None:
        raise ValueError(
            f"example {sample.index} has no masks; use data with instance masks: shapes, coco, "
            "yolo with outlines, or a set packed with them"
        )
    return objects.masks


def _objects(sample: Sample) -> ImageObjects:
    if sample.objects is None:
        raise ValueError(f"example {sample.index} has no objects; use a detection dataset")
    return sample.objects
