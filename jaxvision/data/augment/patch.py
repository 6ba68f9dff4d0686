"""Patches of pictures with targets, turned in eight ways."""

import dataclasses
from collections.abc import Callable

import numpy as np

from jaxvision.data.augment import geometry
from jaxvision.data.errors import DataError
from jaxvision.data.sample import Sample


@dataclasses.dataclass(frozen=True)
class RandomPatch:
    """Cuts a square out of a picture, and the square that belongs to it out of its target.

    Attributes:
        side: Of the square in pixels of the target.
        name: Names a picture by its number, for messages.

    Raises:
        ValueError: If it is not positive.
    """

    side: int
    name: Callable[[int], str] = str

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ValueError(f"a patch must have at least 1 pixel, got {self.side}")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Maps a sample to a patch of it.

        Raises:
            ValueError: If the target's factor does not divide the side.
            DataError: If the picture is smaller than the patch.
        """
        factor = sample.target_factor
        if self.side % factor:
            raise ValueError(
                f"image_size must be a multiple of the scale, {factor}, got {self.side}"
            )
        side = self.side // factor
        height, width = sample.size
        if min(height, width) < side:
            raise DataError(
                f"{self.name(sample.index)}: {factor * width} x {factor * height} pixels are fewer "
                f"than a patch of {self.side} x {self.side}; lower image_size, or leave such "
                "pictures out by data.on_fault=drop"
            )
        top = int(rng.integers(height - side + 1))
        left = int(rng.integers(width - side + 1))
        return geometry.crop(sample, left, top, left + side, top + side)


@dataclasses.dataclass(frozen=True)
class EightFold:
    """Mirrors and turns by quarters at random: each of the eight is as likely as another."""

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Maps a square sample to one of the same size."""
        horizontal, vertical, transposed = rng.random(3) < 0.5
        if horizontal:
            sample = geometry.flip(sample, 1)
        if vertical:
            sample = geometry.flip(sample, 0)
        return geometry.transpose(sample) if transposed else sample
