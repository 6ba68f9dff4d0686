"""Masks of regions: cut out of the masks of an image, and pasted back into it.

Mask R-CNN, He et al. 2017, https://arxiv.org/abs/1703.06870, section 3 and "Inference". Equal to
torchvision's `project_masks_on_boxes` and `paste_masks_in_image`.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.ops.roi_align import roi_align

# Regions that are cut out at a time.
_CHUNK = 16


def cut_masks(masks: jax.Array, boxes: jax.Array, matched: jax.Array, *, side: int) -> jax.Array:
    """Cuts the masks of objects out in boxes.

    Args:
        masks: Pixels of the objects of an image [N, H, W] bool.
        boxes: Regions [R, 4], xyxy in pixels.
        matched: The object of each region [R] int32.
        side: Rows and columns of the result.

    Returns:
        Shares of covered pixels [R, side, side] float32 in [0, 1].
    """

    def cut(region: tuple[jax.Array, jax.Array]) -> jax.Array:
        box, number = region
        mask = masks[number].astype(jnp.float32)[None, :, :, None]
        found = roi_align(mask, box[None, None], size=(side, side), stride=1, samples=0)
        return found[0, 0, :, :, 0]

    return jax.lax.map(cut, (boxes, matched), batch_size=min(_CHUNK, len(boxes)))


def paste_masks(masks: np.ndarray, boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pastes masks of boxes into an image, on the host, where images have sizes of their own.

    A mask is framed by a pixel without object on each side, so that its edge does not end abruptly,
    and its box is enlarged to match and rounded towards zero to whole pixels.

    Args:
        masks: Probabilities [K, M, M] float32.
        boxes: xyxy in pixels of the image [K, 4].
        size: Height and width of the image.

    Returns:
        Probabilities at the pixels of the image [K, H, W] float32, 0 outside of the boxes.
    """
    height, width = size
    pasted = np.zeros((len(masks), height, width), np.float32)
    if not len(masks):
        return pasted
    side = masks.shape[1]
    framed = np.pad(masks.astype(np.float32), ((0, 0), (1, 1), (1, 1)))
    boxes = boxes.astype(np.float32)
    center, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    half = half * np.float32((side + 2) / side)
    whole = np.concatenate([center - half, center + half], axis=1).astype(np.int64)
    for number, (left, top, right, bottom) in enumerate(whole.tolist()):
        rows = _places(max(bottom - top + 1, 1), side + 2)
        columns = _places(max(right - left + 1, 1), side + 2)
        # Only what lies in the image is computed.
        y0, y1 = max(top, 0), min(bottom + 1, height)
        x0, x1 = max(left, 0), min(right + 1, width)
        if y0 >= y1 or x0 >= x1:
            continue
        vertical, across = rows[y0 - top : y1 - top], columns[x0 - left : x1 - left]
        pasted[number, y0:y1, x0:x1] = vertical @ framed[number] @ across.T
    return pasted


def _places(length: int, side: int) -> np.ndarray:
    """Returns the weights [length, side] of bilinear resizing to `length` pixels."""
    position = (np.arange(length) + 0.5) * (side / length) - 0.5
    position = np.maximum(position, 0)
    low = np.minimum(position.astype(int), side - 1)
    high = np.minimum(low + 1, side - 1)
    share = (position - low).astype(np.float32)
    weights = np.zeros((length, side), np.float32)
    np.add.at(weights, (np.arange(length), low), 1 - share)
    np.add.at(weights, (np.arange(length), high), share)
    return weights
