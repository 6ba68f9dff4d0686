"""Elastic deformation of an image and its label map.

U-Net, Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597, section 3.1: displacements of a
coarse grid of points are drawn from a normal distribution of 10 pixels' standard deviation and
interpolated bicubically.
"""

import dataclasses

import cv2
import numpy as np

from jaxvision.data.augment import geometry
from jaxvision.data.sample import VOID, Sample
from jaxvision.ops import ranges


@dataclasses.dataclass(frozen=True)
class Elastic:
    """Displaces pixels smoothly at random; outside the image it is grey and void.

    Departs from the paper: there the grid is of 3 x 3 points, here its spacing is in pixels.

    Attributes:
        deviation: Standard deviation of the displacements in pixels.
        spacing: Distance of the points that are displaced in pixels.
    """

    deviation: float = 10.0
    spacing: int = 128

    def __post_init__(self) -> None:
        ranges.check(self, "[0, inf)", "deviation")
        ranges.check(self, "[1, inf)", "spacing")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Maps a sample to one of the same size.

        Raises:
            ValueError: If the sample carries more than an image and a label map.
        """
        if sample.objects is not None or sample.target is not None or sample.image.ndim != 3:
            raise ValueError("elastic deformation moves an image and its label map alone")
        height, width = sample.size
        rows, columns = (max(2, round(side / self.spacing) + 1) for side in (height, width))
        coarse = rng.normal(0.0, self.deviation, (2, rows, columns)).astype(np.float32)
        dx, dy = (cv2.resize(d, (width, height), interpolation=cv2.INTER_CUBIC) for d in coarse)
        x = np.arange(width, dtype=np.float32)[None] + dx
        y = np.arange(height, dtype=np.float32)[:, None] + dy

        def moved(array: np.ndarray, method: int, fill: int) -> np.ndarray:
            kind = cv2.BORDER_CONSTANT
            return cv2.remap(array, x, y, method, borderMode=kind, borderValue=(fill,) * 4)

        image = geometry.frames(
            lambda frame: moved(frame, cv2.INTER_LINEAR, geometry.FILL), sample.image
        )
        mask = sample.mask
        if mask is not None:
            mask = moved(np.ascontiguousarray(mask), cv2.INTER_NEAREST, VOID)
        return sample.replace(image=image, mask=mask)
