"""Moves that every geometric augmentation is made of.

Each moves all that a sample carries by one map: the image, or all frames of a clip; the target
likewise, at its multiple of the size; instance masks and label map by nearest neighbours, with
nothing and `VOID` where there was no pixel; boxes and proposals by their corners. With instance
masks, a move that cuts or turns objects takes their boxes from the moved masks. Objects and
proposals that leave the image stay in the sample, without extent; `drop_empty` drops such objects.
"""

from collections.abc import Callable

import cv2
import numpy as np

from jaxvision.data import boxes as boxes_of
from jaxvision.data.sample import VOID, Sample

# Grey of what lies beside a letterboxed image.
FILL = 114


def frames(function: Callable[[np.ndarray], np.ndarray], image: np.ndarray) -> np.ndarray:
    """Applies a function to an image [H, W, C], or to each frame of a clip [T, H, W, C]."""
    if image.ndim == 4:
        return np.stack([frames(function, frame) for frame in image])
    result = function(image)
    # OpenCV drops a single channel.
    return result if result.ndim == 3 else result[..., None]


def map_image(sample: Sample, function: Callable[[np.ndarray], np.ndarray]) -> Sample:
    """Changes the colours of the image, or of each frame alike; nothing moves."""
    return sample.replace(image=frames(function, sample.image))


def _move(
    sample: Sample,
    *,
    pixels: Callable[[np.ndarray, int], np.ndarray],
    labels: Callable[[np.ndarray, int], np.ndarray],
    boxes: Callable[[np.ndarray], np.ndarray],
    tight: bool,
) -> Sample:
    """Moves everything; `pixels` gets the factor of a size, `labels` the value of empty pixels."""
    # `tight`: the boxes of objects with masks are taken from these.
    objects = sample.objects
    if objects is not None:
        moved, masks = boxes(objects.boxes), objects.masks
        if masks is not None:
            masks = labels(masks, 0)
            moved = boxes_of.of_masks(masks) if tight else moved
        objects = objects.moved(moved, masks)
    target, factor = sample.target, sample.target_factor
    return sample.replace(
        image=pixels(sample.image, 1),
        objects=objects,
        mask=None if sample.mask is None else labels(sample.mask, VOID),
        target=None if target is None else pixels(target, factor),
        proposals=None if sample.proposals is None else boxes(sample.proposals),
    )


def crop(sample: Sample, left: int, top: int, right: int, bottom: int) -> Sample:
    """Cuts out the pixels `left` to `right - 1` and `top` to `bottom - 1`."""
    origin = np.array([left, top, left, top], np.float32)
    return _move(
        sample,
        pixels=lambda image, s: image[..., s * top : s * bottom, s * left : s * right, :],
        labels=lambda array, void: array[..., top:bottom, left:right],
        boxes=lambda boxes: boxes_of.clip(boxes - origin, (bottom - top, right - left)),
        tight=True,
    )


def flip(sample: Sample, axis: int) -> Sample:
    """Mirrors left and right (axis 1), or top and bottom (axis 0)."""
    low, high = (0, 2) if axis else (1, 3)
    side = sample.size[axis]

    def mirrored(boxes: np.ndarray) -> np.ndarray:
        boxes = boxes.copy()
        # The edges change places: the right one becomes the left one.
        boxes[:, [low, high]] = side - boxes[:, [high, low]]
        return boxes

    return _move(
        sample,
        pixels=lambda image, s: frames(lambda frame: cv2.flip(frame, axis), image),
        labels=lambda array, void: np.flip(array, axis - 2),
        boxes=mirrored,
        tight=False,
    )


def transpose(sample: Sample) -> Sample:
    """Exchanges rows and columns."""
    return _move(
        sample,
        pixels=lambda image, s: image.swapaxes(-3, -2),
        labels=lambda array, void: array.swapaxes(-2, -1),
        boxes=lambda boxes: boxes[:, [1, 0, 3, 2]],
        tight=False,
    )


def bilinear(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes an image [H, W, C] to [*size, C]."""
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)


def area_or_bilinear(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes an image [H, W, C] to [*size, C]: by means over areas where both sides shrink."""
    shrinks = image.shape[0] >= size[0] and image.shape[1] >= size[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, size[::-1], interpolation=method)


def resize(
    sample: Sample,
    size: tuple[int, int],
    method: Callable[[np.ndarray, tuple[int, int]], np.ndarray] = bilinear,
    *,
    factor: float | None = None,
) -> Sample:
    """Resizes to a height and width.

    Args:
        sample: What to resize.
        size: Height and width of the result in pixels.
        method: Maps an image [H, W, C] and a height and width to the resized image.
        factor: Of boxes, which are not rounded as the size is; by default that of each side.
    """
    height, width = sample.size
    factors = [size[1] / width, size[0] / height] if factor is None else [factor] * 2
    scale = np.array(factors * 2, np.float32)

    def resized(image: np.ndarray, s: int) -> np.ndarray:
        height, width = s * size[0], s * size[1]
        if image.shape[-3:-1] == (height, width):
            return image
        return frames(lambda frame: method(frame, (height, width)), image)

    return _move(
        sample,
        pixels=resized,
        labels=lambda array, void: nearest(array, size),
        boxes=lambda boxes: boxes * scale,
        tight=False,
    )


def nearest(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes label maps or masks [..., H, W] to [..., *size] by the nearest pixel centre."""
    height, width = array.shape[-2:]
    if (height, width) == tuple(size):
        return array
    rows = (np.arange(size[0]) + 0.5) * height // size[0]
    columns = (np.arange(size[1]) + 0.5) * width // size[1]
    return array[..., rows.astype(int)[:, None], columns.astype(int)]


def pad(
    sample: Sample, size: tuple[int, int], *, left: int = 0, top: int = 0, fill: int = FILL
) -> Sample:
    """Puts a sample on a grey canvas of a height and width, behind so many columns and rows."""
    height, width = sample.size
    if (height, width) == tuple(size):
        return sample
    shift = np.array([left, top, left, top], np.float32)

    def padded(image: np.ndarray, s: int, value: int = fill) -> np.ndarray:
        shape = (*image.shape[:-3], s * size[0], s * size[1], image.shape[-1])
        result = np.full(shape, value, image.dtype)
        result[..., s * top : s * (top + height), s * left : s * (left + width), :] = image
        return result

    return _move(
        sample,
        pixels=padded,
        labels=lambda array, void: padded(array[..., None], 1, void)[..., 0],
        boxes=lambda boxes: boxes + shift,
        tight=False,
    )


def warp(sample: Sample, matrix: np.ndarray, size: tuple[int, int], *, fill: int = FILL) -> Sample:
    """Maps a sample to one of a height and width, grey where pixels come from outside.

    The matrix [2, 3] maps centres (x, y) of its pixels to those of the result; pixel (0, 0) covers
    [-0.5, 0.5].
    """
    edges = matrix.astype(np.float64).copy()
    # Corners of boxes lie half a pixel before the centres.
    edges[:, 2] += 0.5 - 0.5 * matrix[:, :2].sum(axis=1)

    def warped(image: np.ndarray, s: int) -> np.ndarray:
        return frames(
            lambda frame: cv2.warpAffine(
                frame,
                scaled_matrix(matrix, s),
                (s * size[1], s * size[0]),
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_CONSTANT,
                borderValue=(fill,) * 4,
            ),
            image,
        )

    return _move(
        sample,
        pixels=warped,
        labels=lambda array, void: warp_labels(array, matrix, size, void),
        boxes=lambda boxes: boxes_of.clip(boxes_of.hull(boxes, edges), size),
        tight=True,
    )


def scaled_matrix(matrix: np.ndarray, factor: int) -> np.ndarray:
    """Returns the same map [2, 3] for images in which each pixel is `factor` pixels wide."""
    result = matrix.astype(np.float64).copy()
    half = (factor - 1) / 2
    result[:, 2] = factor * result[:, 2] + half - half * result[:, :2].sum(axis=1)
    return result


def warp_labels(
    array: np.ndarray, matrix: np.ndarray, size: tuple[int, int], void: int
) -> np.ndarray:
    """Maps label maps or masks [..., H, W] to [..., *size] by the nearest pixel."""
    result = np.full((*array.shape[:-2], *size), void, array.dtype)
    for place in np.ndindex(array.shape[:-2]):
        cv2.warpAffine(
            as_opencv(array[place]),
            matrix,
            size[::-1],
            dst=as_opencv(result[place]),
            flags=cv2.INTER_NEAREST,
            borderMode=cv2.BORDER_TRANSPARENT,
        )
    return result


def as_opencv(array: np.ndarray) -> np.ndarray:
    """Returns a view of a label map or mask of a type that OpenCV moves; only to copy values."""
    kinds = {np.dtype(bool): np.uint8, np.dtype(np.int32): np.float32}
    return array.view(kinds.get(array.dtype, array.dtype))


def drop_empty(sample: Sample) -> Sample:
    """Drops the objects whose boxes have no extent."""
    if sample.objects is None:
        return sample
    kept = boxes_of.nonempty(sample.objects.boxes)
    return sample if kept.all() else sample.replace(objects=sample.objects.take(kept))
