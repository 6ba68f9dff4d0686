"""A window around one object of a label map, whose other objects are background.

The first stage of DeconvNet (Noh et al. 2015, https://arxiv.org/abs/1505.04366, sections 4.2 and
5.1): the box of an object, 1.2 times as large, resized to the input; the label map shows the object
in its middle, and everything else is background.

Departs from the paper: objects are connected areas of a class, for label maps do not tell those
apart that touch; all other classes in the window become background, the same class stays.
"""

import dataclasses

import cv2
import numpy as np

from jaxvision.data.augment import geometry
from jaxvision.data.sample import VOID, Sample
from jaxvision.ops import ranges


@dataclasses.dataclass(frozen=True)
class ObjectCrop:
    """Cuts out one object at random, with what is around it.

    An image without an object is left as it is.

    Attributes:
        extent: Sides of the window over those of the object's box.
        least: Objects of fewer pixels are not chosen.
    """

    extent: float = 1.2
    least: int = 64

    def __post_init__(self) -> None:
        ranges.check(self, "[1, 16]", "extent")
        ranges.check(self, "[1, inf)", "least")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Maps a sample to one of the window's size."""
        if sample.mask is None:
            return sample
        found = self._objects(sample.mask)
        if not found:
            return sample
        kind, (left, top, width, height) = found[rng.integers(len(found))]
        across, down = (round(side * (self.extent - 1) / 2) for side in (width, height))
        rows, columns = sample.size
        part = geometry.crop(
            sample,
            max(0, left - across),
            max(0, top - down),
            min(columns, left + width + across),
            min(rows, top + height + down),
        )
        mask = np.asarray(part.mask)
        alone = np.where((mask == kind) | (mask == VOID), mask, 0).astype(mask.dtype)
        return part.replace(mask=alone)

    def _objects(self, mask: np.ndarray) -> list[tuple[int, tuple[int, int, int, int]]]:
        """Lists class and left, top, width and height of each object; class 0 is background."""
        found = []
        for kind in np.unique(mask):
            if kind in (0, VOID):
                continue
            areas = (mask == kind).astype(np.uint8)
            _, _, statistics, _ = cv2.connectedComponentsWithStats(areas)
            for left, top, width, height, pixels in statistics[1:].tolist():
                if pixels >= self.least:
                    found.append((int(kind), (left, top, width, height)))
        return found
