"""From the probabilities that a network gives at its input's size to classes at an image's own."""

from collections.abc import Sequence

import numpy as np

# Pixels of the result that are interpolated at a time.
_BAND = 1 << 17


def enlarged_labels(maps: Sequence[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Returns the most probable class of each pixel of an image.

    The maps are interpolated bilinearly and summed, a few rows at a time: memory does not grow with
    the image, but for the result.

    Args:
        maps: Probabilities [h, w, K] of the same image, each of its own size.
        size: Height and width of the image in pixels.

    Returns:
        [H, W] uint8.
    """
    if len(maps) == 1 and maps[0].shape[:2] == size:
        return maps[0].argmax(axis=-1).astype(np.uint8)
    height, width = size
    found = np.empty(size, np.uint8)
    rows = max(1, _BAND // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        total = sum((_interpolated(x, size, top, bottom) for x in maps), start=np.float32(0))
        found[top:bottom] = np.argmax(total, axis=-1)
    return found


def _interpolated(x: np.ndarray, size: tuple[int, int], top: int, bottom: int) -> np.ndarray:
    """Interpolates maps [h, w, K] bilinearly to a size; returns rows `top` to `bottom - 1`."""
    for axis, (side, start, stop) in enumerate(((size[0], top, bottom), (size[1], 0, size[1]))):
        position = (np.arange(start, stop) + 0.5) * (x.shape[axis] / side) - 0.5
        position = np.clip(position, 0, x.shape[axis] - 1)
        low = position.astype(np.int64)
        high = np.minimum(low + 1, x.shape[axis] - 1)
        weight = (position - low).astype(np.float32)
        weight = weight[:, None, None] if axis == 0 else weight[None, :, None]
        x = np.take(x, low, axis) * (1 - weight) + np.take(x, high, axis) * weight
    return x
