"""Colour changes; boxes stay where they are."""

import dataclasses

import cv2
import numpy as np


@dataclasses.dataclass(frozen=True)
class HSVShift:
    """Adds a constant to hue, saturation and value (YOLOX since 2022).

    Each of the three is drawn from U(-range, range), cut to an integer, and switched off half of
    the time. The scale is OpenCV's for 8 bits: hue in [0, 180), turning round; saturation and value
    in [0, 255].

    Departs from the reference:
        Where the hue goes down, that of one pixel in fifty is rounded the other way.

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
        hue: Added to the hue, modulo 180; in [-75, 75].
        saturation: Added to the saturation, clipped to [0, 255].
        value: Added to the value, clipped to [0, 255].

    Returns:
        RGB image [H, W, 3] uint8.
    """
    # OpenCV adds unsigned bytes several times faster than signed numbers, and takes hues from 180
    # on for those from 0 on. Read as BGR, a picture's hues run backwards: there, a negative shift
    # is a positive one.
    forward = hue >= 0
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV if forward else cv2.COLOR_BGR2HSV)
    up = np.array([abs(hue), max(saturation, 0), max(value, 0), 0], np.int32)
    down = np.array([0, max(-saturation, 0), max(-value, 0), 0], np.int32)
    if up.any():
        hsv = cv2.add(hsv, up, dst=hsv)
    if down.any():
        hsv = cv2.subtract(hsv, down, dst=hsv)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB if forward else cv2.COLOR_HSV2BGR, dst=hsv)
