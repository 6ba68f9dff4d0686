"""Readers and transforms in sequence.

A transform is `(sample, rng) -> sample`; one that needs other images of the source, or only a part
of one, is a reader `(source, index, rng) -> sample`. Both are frozen dataclasses that are called.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from jaxvision.data.rows import Row
from jaxvision.data.sample import Sample
from jaxvision.data.source import Reader, Source, Transform
from jaxvision.ops import ranges


def read(source: Source, index: int, rng: np.random.Generator) -> Sample:
    """Reads an example as it is."""
    return source[index]


@dataclasses.dataclass(frozen=True)
class Pipeline:
    """A reader followed by transforms, which is a reader again.

    Attributes:
        read: Makes a sample.
        transforms: Applied to it in order.
    """

    read: Reader = read
    transforms: tuple[Transform, ...] = ()

    def __call__(self, source: Source, index: int, rng: np.random.Generator) -> Sample:
        """Reads an example and applies the transforms."""
        sample = self.read(source, index, rng)
        for transform in self.transforms:
            sample = transform(sample, rng)
        return sample


@dataclasses.dataclass(frozen=True)
class Either:
    """Chooses between two readers at random.

    Attributes:
        probability: Of `first`; 1 still draws a number.
        first: A reader.
        second: Another one.
    """

    probability: float
    first: Reader
    second: Reader = read

    def __post_init__(self) -> None:
        ranges.check(self, "[0, 1]", "probability")

    def __call__(self, source: Source, index: int, rng: np.random.Generator) -> Sample:
        """Reads an example with one of the readers."""
        chosen = self.first if rng.random() < self.probability else self.second
        return chosen(source, index, rng)


def drop_crowds(sample: Sample, rng: np.random.Generator) -> Sample:
    """Drops the objects that are never trained on."""
    if sample.objects is None or not sample.objects.crowd.any():
        return sample
    return sample.replace(objects=sample.objects.trained())


@dataclasses.dataclass(frozen=True)
class DropSmall:
    """Applies transforms, then drops objects that are too small to be trained on.

    If that were all of them, the sample stays as it was, with all of its objects (YOLOX's code).

    Attributes:
        min_side: Objects with a side of at most this many pixels are dropped.
        transforms: Applied first, in order.
    """

    min_side: float
    transforms: tuple[Transform, ...] = ()

    def __post_init__(self) -> None:
        ranges.check(self, "[0, inf)", "min_side")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Maps a sample to one of the same size."""
        before = sample
        for transform in self.transforms:
            sample = transform(sample, rng)
        if not sample.objects:
            return sample
        sides = sample.objects.boxes[:, 2:] - sample.objects.boxes[:, :2]
        kept = sides.min(axis=1) > self.min_side
        return sample.replace(objects=sample.objects.take(kept)) if kept.any() else before


@dataclasses.dataclass(frozen=True)
class Example:
    """A source, a reader and what makes a row of a batch of its samples: what a stream calls.

    Attributes:
        source: Where the examples come from.
        read: Makes a sample.
        row: Turns it into arrays of fixed shapes by name.
    """

    source: Source
    read: Reader
    row: Callable[[Sample], Row]

    def __call__(self, index: int, rng: np.random.Generator | None = None) -> Row:
        """Returns one row; a reader that draws nothing needs no generator."""
        rng = np.random.default_rng(0) if rng is None else rng
        return self.row(self.read(self.source, index, rng))
