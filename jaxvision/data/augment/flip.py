"""Mirror images."""

import dataclasses
from typing import ClassVar

import numpy as np

from jaxvision.data.augment.geometry import flip
from jaxvision.data.sample import Sample
from jaxvision.ops import ranges


@dataclasses.dataclass(frozen=True)
class HorizontalFlip:
    """Mirrors left and right.

    Attributes:
        probability: How often.
    """

    probability: float = 0.5
    axis: ClassVar[int] = 1

    def __post_init__(self) -> None:
        ranges.check(self, "[0, 1]", "probability")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Maps a sample to one of the same size."""
        return flip(sample, self.axis) if rng.random() < self.probability else sample


class VerticalFlip(HorizontalFlip):
    """Mirrors top and bottom: for aerial images, microscopy, and the like."""

    axis: ClassVar[int] = 0
