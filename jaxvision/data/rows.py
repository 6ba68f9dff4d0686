"""From a sample to one row of a batch, one function a task; `batch.py` says what batches hold."""

import numpy as np

from jaxvision.data.sample import ImageObjects, Sample

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


def detection_row(sample: Sample, max_objects: int, max_proposals: int = 0) -> Row:
    """Returns image, index, boxes [N, 4], classes [N] and valid [N] for training.

    With `max_proposals`, also `proposals` [P, 4] and `proposal_valid` [P].
    """
    objects = _objects(sample)
    padded = pad_objects(max_objects, boxes=objects.boxes, classes=objects.classes)
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


def _objects(sample: Sample) -> ImageObjects:
    if sample.objects is None:
        raise ValueError(f"example {sample.index} has no objects; use a detection dataset")
    return sample.objects
