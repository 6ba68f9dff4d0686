"""A part of random size of an image and its label map, as segmentation is trained on."""

import dataclasses

import numpy as np

from jaxvision.data.augment import geometry
from jaxvision.data.augment.letterbox import fitted
from jaxvision.data.sample import Sample
from jaxvision.ops import ranges


@dataclasses.dataclass(frozen=True)
class ScaleCrop:
    """Scales an image at random and cuts a window out of it at random.

    An image that is smaller than the window in a direction lies at random in a grey frame, whose
    label is void.

    Attributes:
        size: Height and width of the window in pixels.
        scale: Least and largest scale, 1 being that at which the image just fits into the window.
    """

    size: tuple[int, int]
    scale: tuple[float, float] = (0.5, 2.0)

    def __post_init__(self) -> None:
        ranges.check_pair(self, "(0, 16]", "scale")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Maps a sample to one of `size`; objects that are cut away are dropped."""
        fit, _ = fitted(sample.size, self.size)
        # Uniform in the logarithm: halving is as likely as doubling.
        factor = fit * float(np.exp(rng.uniform(*np.log(self.scale))))
        inner = tuple(max(1, round(side * factor)) for side in sample.size)
        resized = geometry.resize(sample, (inner[0], inner[1]), geometry.area_or_bilinear)
        framed = (max(inner[0], self.size[0]), max(inner[1], self.size[1]))
        top, left = (int(rng.integers(f - i + 1)) for f, i in zip(framed, inner, strict=True))
        resized = geometry.pad(resized, framed, left=left, top=top)
        top, left = (int(rng.integers(f - s + 1)) for f, s in zip(framed, self.size, strict=True))
        part = geometry.crop(resized, left, top, left + self.size[1], top + self.size[0])
        return geometry.drop_empty(part)
