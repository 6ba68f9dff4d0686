"""SSD's changes of colour.

SSD: Single Shot MultiBox Detector, Liu et al. 2015, https://arxiv.org/abs/1512.02325, section 2.2;
the numbers are those of the authors' code.
"""

import dataclasses

import cv2
import numpy as np

from jaxvision.data.augment.color import adjust_brightness, scale_hsv, shift_hsv
from jaxvision.data.augment.geometry import map_image
from jaxvision.data.sample import Sample
from jaxvision.ops import ranges


@dataclasses.dataclass(frozen=True)
class PhotometricDistortion:
    """Changes brightness, contrast, saturation and hue, each half of the time.

    First a constant is added to all values. The factor of the contrast comes next or, half of the
    time, last; between them the factor of the saturation and the shift of the hue.

    Departs from the authors' code: the hue turns by up to 18 degrees, as in the later
    implementations, there by up to 36.

    Attributes:
        probability: How often an image is changed.
        brightness: Largest constant, of values 0 to 255.
        contrast: Least and largest factor of all values.
        saturation: Least and largest factor of the saturation.
        hue: Largest shift of the hue in degrees.
    """

    probability: float = 1.0
    brightness: float = 32.0
    contrast: tuple[float, float] = (0.5, 1.5)
    saturation: tuple[float, float] = (0.5, 1.5)
    hue: float = 18.0

    def __post_init__(self) -> None:
        ranges.check(self, "[0, 1]", "probability")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Changes the image of a sample."""
        if rng.random() >= self.probability:
            return sample
        brighter, contrast, saturated, turned, first = rng.random(5) < 0.5
        delta = rng.uniform(-self.brightness, self.brightness)
        factor, saturation = rng.uniform(*self.contrast), rng.uniform(*self.saturation)
        # OpenCV's hue has 180 steps.
        hue = round(rng.uniform(-self.hue, self.hue) / 2)

        def changed(image: np.ndarray) -> np.ndarray:
            if brighter:
                image = cv2.addWeighted(image, 1.0, image, 0.0, delta)
            if contrast and first:
                image = adjust_brightness(image, factor)
            if saturated:
                image = scale_hsv(image, 1.0, saturation, 1.0)
            if turned:
                image = shift_hsv(image, hue, 0, 0)
            if contrast and not first:
                image = adjust_brightness(image, factor)
            return image

        return map_image(sample, changed)
