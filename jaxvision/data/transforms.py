"""Readers and transforms in sequence.

A transform is `(sample, rng) -> sample`; one that needs other images of the source, or only a part
of one, is a reader `(source, index, rng) -> sample`. Both are frozen dataclasses that are called.
"""

import dataclasses

import numpy as np

from jaxvision.data.sample import Sample
from jaxvision.data.source import Reader, Source, Transform


def read(source: Source, index: int, rng: np.random.Generator) -> Sample:
    """Reads an example as it is."""
    del rng
    return source[index]


@dataclasses.dataclass(frozen=True)
class Pipeline:
    """A reader followed by transforms, which is a reader again.

    `functools.partial(pipeline, source)` maps an index and a generator to a sample.

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

    def __call__(self, source: Source, index: int, rng: np.random.Generator) -> Sample:
        """Reads an example with one of the readers."""
        chosen = self.first if rng.random() < self.probability else self.second
        return chosen(source, index, rng)


def drop_crowds(sample: Sample, rng: np.random.Generator) -> Sample:
    """Drops the objects that are never trained on."""
    del rng
    if sample.objects is None or not sample.objects.crowd.any():
        return sample
    return sample.replace(objects=sample.objects.trained())
