"""Mirror images."""

import dataclasses

import numpy as np

from jaxvision.data.augment.geometry import flip
from jaxvision.data.sample import Sample


@dataclasses.dataclass(frozen=True)
class HorizontalFlip:
    """Mirrors left and right.

    Attributes:
        probability: How often.
    """

    probability: float = 0.5

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Maps a sample to one of the same size."""
        return flip(sample, 1) if rng.random() < self.probability else sample


@dataclasses.dataclass(frozen=True)
class VerticalFlip:
    """Mirrors top and bottom: for aerial images, microscopy, and the like.

    Attributes:
        probability: How often.
    """

    probability: float = 0.5

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Maps a sample to one of the same size."""
        return flip(sample, 0) if rng.random() < self.probability else sample
