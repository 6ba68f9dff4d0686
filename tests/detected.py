"""Metrics of detections that are written by hand."""

import numpy as np

from jaxvision.metrics.coco import COCODetection

NAMES = ("circle", "square", "star")


def pad(rows, count, shape=(), dtype=np.float32):
    out = np.zeros((len(rows), count, *shape), dtype)
    for i, row in enumerate(rows):
        out[i, : len(row)] = np.reshape(row, (len(row), *shape))
    return out


def metric(images, *, names=NAMES, scale=1.0, mask=None, extra=0, first=0, kind=COCODetection):
    """Builds the metric of images.

    Each is {"objects": [(box, class, crowd)], "found": [(box, class, score)]}, boxes in original
    pixels; an object may give its area as a fourth value.
    """
    objects = [image["objects"] for image in images]
    found = [image["found"] for image in images]
    n = max(map(len, objects), default=0) + extra
    k = max(map(len, found), default=0) + extra
    areas = [
        [o[3] if len(o) > 3 else (o[0][2] - o[0][0]) * (o[0][3] - o[0][1]) for o in row]
        for row in objects
    ]
    batch = {
        "image": np.zeros((len(images), 8, 8, 3), np.uint8),
        "boxes": pad([[o[0] for o in row] for row in objects], n, (4,)) * np.float32(scale),
        "classes": pad([[o[1] for o in row] for row in objects], n, (), np.int32),
        "valid": pad([[True] * len(row) for row in objects], n, (), bool),
        "crowd": pad([[o[2] for o in row] for row in objects], n, (), bool),
        "area": pad(areas, n),
        "scale": np.full(len(images), scale, np.float32),
        "mask": np.ones(len(images), bool) if mask is None else np.asarray(mask),
        "index": np.arange(first, first + len(images), dtype=np.int32),
    }
    return kind.from_model_output(
        boxes=pad([[f[0] for f in row] for row in found], k, (4,)) * np.float32(scale),
        scores=pad([[f[2] for f in row] for row in found], k),
        classes=pad([[f[1] for f in row] for row in found], k, (), np.int32),
        valid=pad([[True] * len(row) for row in found], k, (), bool),
        batch=batch,
        class_names=names,
    )
