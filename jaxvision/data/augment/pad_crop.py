"""Small shifts: a crop of the image in a black frame (ResNet on CIFAR, He et al. 2015, 4.2)."""

import dataclasses

import numpy as np

from jaxvision.data.augment import geometry
from jaxvision.data.augment.center_crop import surround
from jaxvision.data.sample import Sample


@dataclasses.dataclass(frozen=True)
class PadCrop:
    """Frames an image in black and cuts a random part.

    Attributes:
        size: Height and width of the result in pixels. An image that is smaller is framed to this
            size first.
        padding: Width of the frame in pixels.
    """

    size: tuple[int, int]
    padding: int = 4

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Maps a sample to one of `size`; objects that are cut away are dropped."""
        sample = surround(sample, self.size, self.padding)
        height, width = sample.size
        top = int(rng.integers(height - self.size[0] + 1))
        left = int(rng.integers(width - self.size[1] + 1))
        part = geometry.crop(sample, left, top, left + self.size[1], top + self.size[0])
        return geometry.drop_empty(part)
