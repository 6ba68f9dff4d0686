"""Boxes in numpy, xyxy in pixels: areas, overlaps, and the boxes of masks."""

import numpy as np


def area(boxes: np.ndarray) -> np.ndarray:
    """Returns the areas [...] of boxes [..., 4]."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the intersection over union [...] of boxes [..., 4], 0 for two without area.

    Leading axes broadcast: `iou(a[:, None], b[None])` compares all pairs.
    """
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=-1)
    union = area(a) + area(b) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def clip(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Cuts boxes [n, 4] to an image of the given height and width [n, 4] float32."""
    return np.clip(boxes, 0, (size[1], size[0]) * 2).astype(np.float32)


def nonempty(boxes: np.ndarray) -> np.ndarray:
    """Says which boxes [n, 4] have a width and a height [n] bool."""
    return (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])


def hull(boxes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Returns the boxes [n, 4] around the corners of boxes [n, 4] mapped by a matrix [2, 3]."""
    corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2) @ matrix[:, :2].T + matrix[:, 2]
    corners = corners.reshape(-1, 4, 2)
    return np.concatenate([corners.min(1), corners.max(1)], axis=1)


def of_masks(masks: np.ndarray) -> np.ndarray:
    """Returns the boxes [n, 4] float32 around masks [n, H, W] bool, zeros around empty ones."""
    boxes = np.zeros((len(masks), 4), np.float32)
    if not masks.size:
        return boxes
    for axis in (0, 1):
        # Which columns (axis 0) or rows (axis 1) show something of each mask.
        used: np.ndarray = np.any(masks, axis=axis + 1)
        boxes[:, axis] = used.argmax(axis=1)
        boxes[:, axis + 2] = used.shape[1] - used[:, ::-1].argmax(axis=1)
    boxes[~np.any(masks, axis=(1, 2))] = 0
    return boxes
