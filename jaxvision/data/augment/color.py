"""Colour changes; boxes stay where they are."""

import dataclasses

import cv2
import numpy as np

_LEVELS = np.arange(256)


@dataclasses.dataclass(frozen=True)
class HSVShift:
    """Adds a constant to hue, saturation and value (YOLOX since 2022).

    Each of the three is drawn from U(-range, range), cut to an integer, and switched off half of
    the time. The scale is OpenCV's for 8 bits: hue in [0, 180), turning round; saturation and value
    in [0, 255].

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

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Maps an RGB image [H, W, 3] uint8 to the same."""
        if rng.random() >= self.probability:
            return image
        shift = rng.uniform(-1, 1, 3) * (self.hue, self.saturation, self.value)
        shift = (shift * rng.integers(0, 2, 3)).astype(np.int16)
        return shift_hsv(image, *shift.tolist()) if shift.any() else image


def shift_hsv(image: np.ndarray, hue: int, saturation: int, value: int) -> np.ndarray:
    """Adds constants to the channels of HSV.

    Args:
        image: RGB image [H, W, 3] uint8.
        hue: Added to the hue, modulo 180.
        saturation: Added to the saturation, clipped to [0, 255].
        value: Added to the value, clipped to [0, 255].

    Returns:
        RGB image [H, W, 3] uint8.
    """
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    planes = list(cv2.split(hsv))
    if hue:
        planes[0] = cv2.LUT(planes[0], ((_LEVELS + hue) % 180).astype(np.uint8))
    # Sums of unsigned bytes that stop at 0 and 255 cost OpenCV a fraction of a table look-up.
    for plane, shift in zip(planes[1:], (saturation, value), strict=True):
        if shift > 0:
            cv2.add(plane, shift, dst=plane)
        elif shift < 0:
            cv2.subtract(plane, -shift, dst=plane)
    cv2.merge(planes, dst=hsv)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB, dst=hsv)
