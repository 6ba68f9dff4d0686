"""Colour changes of the image, the same in all frames of a clip; nothing moves.

A target is left alone: where it shows what the image shows, as in super-resolution, the two would
no longer agree.
"""

import dataclasses
import functools

import cv2
import numpy as np

from jaxvision.data.augment.geometry import map_image
from jaxvision.data.sample import Sample
from jaxvision.ops import ranges

_LEVELS = np.arange(256)


@dataclasses.dataclass(frozen=True)
class HSVShift:
    """Adds a constant to hue, saturation and value (YOLOX since 2022).

    Each of the three is drawn from U(-range, range), cut to an integer, and switched off half of
    the time. The scale is OpenCV's for 8 bits: hue in [0, 180), saturation and value in [0, 255].

    Attributes:
        probability: How often anything changes.
        hue: Range of the hue's shift.
        saturation: Range of the saturation's shift.
        value: Range of the value's shift.
    """

    probability: float = 1.0
    hue: float = 5.0
    saturation: float = 30.0
    value: float = 30.0

    def __post_init__(self) -> None:
        ranges.check(self, "[0, 1]", "probability")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Changes the image of a sample."""
        if rng.random() >= self.probability:
            return sample
        shift = rng.uniform(-1, 1, 3) * (self.hue, self.saturation, self.value)
        shift = (shift * rng.integers(0, 2, 3)).astype(np.int16)
        if not shift.any():
            return sample
        return map_image(sample, lambda image: shift_hsv(image, *shift.tolist()))


@dataclasses.dataclass(frozen=True)
class HSVGain:
    """Multiplies hue, saturation and value (YOLOX until 2021, its published weights; YOLOv5).

    Each factor is drawn from U(1 - range, 1 + range).

    Attributes:
        probability: How often anything changes.
        hue: Range of the hue's factor.
        saturation: Range of the saturation's factor.
        value: Range of the value's factor.
    """

    probability: float = 1.0
    hue: float = 0.015
    saturation: float = 0.7
    value: float = 0.4

    def __post_init__(self) -> None:
        ranges.check(self, "[0, 1]", "probability")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Changes the image of a sample."""
        if rng.random() >= self.probability:
            return sample
        gains = 1 + rng.uniform(-1, 1, 3) * (self.hue, self.saturation, self.value)
        return map_image(sample, lambda image: scale_hsv(image, *gains.tolist()))


@dataclasses.dataclass(frozen=True)
class ColorJitter:
    """Changes brightness, contrast and saturation in random order (torchvision's `ColorJitter`).

    Each factor is drawn from U(max(0, 1 - range), 1 + range): 1 changes nothing, 0 gives black, one
    grey, and an image without colour.

    Departs from the reference: results are rounded to the nearest integer, there cut; the hue is
    left to `HSVShift`.

    Attributes:
        brightness: Range of `adjust_brightness`'s factor.
        contrast: Range of `adjust_contrast`'s factor.
        saturation: Range of `adjust_saturation`'s factor.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0

    def __post_init__(self) -> None:
        ranges.check(self, "[0, inf)", *dataclasses.asdict(self))

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Changes the image of a sample."""
        changes = (adjust_brightness, adjust_contrast, adjust_saturation)
        extents = (self.brightness, self.contrast, self.saturation)
        for number in rng.permutation(3).tolist():
            extent, adjust = extents[number], changes[number]
            if extent:
                factor = rng.uniform(max(0.0, 1 - extent), 1 + extent)
                sample = map_image(sample, functools.partial(adjust, factor=factor))
        return sample


def shift_hsv(image: np.ndarray, hue: int, saturation: int, value: int) -> np.ndarray:
    """Adds constants to hue (modulo 180), saturation and value (clipped) of RGB [H, W, 3] uint8."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    planes = list(cv2.split(hsv))
    if hue:
        planes[0] = cv2.LUT(planes[0], ((_LEVELS + hue) % 180).astype(np.uint8))
    # Sums of unsigned bytes that stop at 0 and 255 cost OpenCV a fraction of a table look-up.
    for plane, shift in zip(planes[1:], (saturation, value), strict=True):
        if shift:
            amount = np.array([abs(shift), 0, 0, 0], np.int32)
            (cv2.add if shift > 0 else cv2.subtract)(plane, amount, dst=plane)
    cv2.merge(planes, dst=hsv)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB, dst=hsv)


def scale_hsv(image: np.ndarray, hue: float, saturation: float, value: float) -> np.ndarray:
    """Multiplies hue (modulo 180), saturation and value (clipped) of an RGB image [H, W, 3] uint8.

    Products are cut to integers.
    """
    tables = np.outer(_LEVELS, (hue, saturation, value))
    tables[:, 0] %= 180
    tables = np.clip(tables, 0, 255).astype(np.uint8)
    hsv = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), tables[None])
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB, dst=hsv)


def adjust_brightness(image: np.ndarray, factor: float) -> np.ndarray:
    """Maps each value x of an image [H, W, 3] uint8 to factor x, clipped to [0, 255]."""
    return cv2.addWeighted(image, factor, image, 0.0, 0.0)


def adjust_contrast(image: np.ndarray, factor: float) -> np.ndarray:
    """Maps each value x of an RGB image [H, W, 3] uint8 to factor x + (1 - factor) m, clipped.

    m is the mean of the image's luma, 0.299 R + 0.587 G + 0.114 B.
    """
    mean = cv2.mean(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[0]
    return cv2.addWeighted(image, factor, image, 0.0, (1 - factor) * mean)


def adjust_saturation(image: np.ndarray, factor: float) -> np.ndarray:
    """Maps each value x of an RGB image [H, W, 3] uint8 to factor x + (1 - factor) g, clipped.

    g is the pixel's luma, 0.299 R + 0.587 G + 0.114 B, rounded.
    """
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(image, factor, grey, 1 - factor, 0.0)
