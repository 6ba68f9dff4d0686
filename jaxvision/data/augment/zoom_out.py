"""Images on a larger canvas, so that objects become small.

SSD: Single Shot MultiBox Detector, Liu et al. 2015, https://arxiv.org/abs/1512.02325, section 3.6:
the expansion that adds 2 to 3 points of AP.
"""

import dataclasses

import numpy as np

from jaxvision.data.augment import geometry
from jaxvision.data.sample import Sample
from jaxvision.ops import ranges


@dataclasses.dataclass(frozen=True)
class ZoomOut:
    """Puts an image anywhere on a grey canvas of up to four times its sides.

    Departs from the paper: the canvas has the grey of the other augmentations, there the mean of
    the images; sides grow by up to 4, so that the area does by up to 16, as in the authors' code.

    Attributes:
        probability: How often an image is put on a canvas.
        largest: Largest factor of the sides; it is drawn from U(1, largest).
    """

    probability: float = 0.5
    largest: float = 4.0

    def __post_init__(self) -> None:
        ranges.check(self, "[0, 1]", "probability")
        ranges.check(self, "[1, 16]", "largest")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Maps a sample to one of larger sides."""
        if rng.random() >= self.probability:
            return sample
        factor = rng.uniform(1.0, self.largest)
        height, width = sample.size
        size = round(height * factor), round(width * factor)
        top = int(rng.integers(size[0] - height + 1))
        left = int(rng.integers(size[1] - width + 1))
        return geometry.pad(sample, size, left=left, top=top)
