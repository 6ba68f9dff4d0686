"""Random rotation, scale, shear and translation.

YOLOX (Ge et al. 2021, https://arxiv.org/abs/2107.08430) turns and scales its mosaic this way.
"""

import dataclasses
import math

import cv2
import numpy as np

from jaxvision.data import boxes as boxes_of
from jaxvision.data.augment import geometry
from jaxvision.data.sample import Sample
from jaxvision.ops import ranges

_MAX_ASPECT = 20.0
_MIN_VISIBLE = 0.2


@dataclasses.dataclass(frozen=True)
class RandomAffine:
    """Draws matrices from a canvas of twice the result's height and width to the result.

    YOLOX since October 2021 turns and scales about the canvas's top left corner: scaled down, all
    of the canvas is seen at the top left, scaled up, only its top left. Its published weights were
    trained with the code before that: `centered` and `filter_boxes`.

    Attributes:
        degrees: Range of the rotation, in both directions.
        translate: Range of the translation, as a part of the result's height and width.
        scale: Least and largest scale.
        shear: Range of the shear along x and along y, in degrees.
        centered: Turns and scales about the canvas's centre, which comes to lie in the result's.
        filter_boxes: Drops objects whose box has a side of at most 2 pixels, an aspect ratio of 20
            or more, or at most a fifth of its area left.
    """

    degrees: float = 10.0
    translate: float = 0.1
    scale: tuple[float, float] = (0.1, 2.0)
    shear: float = 2.0
    centered: bool = False
    filter_boxes: bool = False

    def __post_init__(self) -> None:
        ranges.check_pair(self, "(0, inf)", "scale")
        ranges.check(self, "[0, 360]", "degrees")
        ranges.check(self, "[0, 80]", "shear")
        ranges.check(self, "[0, 1]", "translate")

    def draw(self, size: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, float]:
        """Draws a matrix for a result of a height and width in pixels.

        Returns:
            The matrix [2, 3] from points of the canvas to points of the result, and its scale.
        """
        height, width = size
        scale = rng.uniform(*self.scale)
        rotation = cv2.getRotationMatrix2D((0, 0), rng.uniform(-self.degrees, self.degrees), scale)
        x, y = (math.tan(math.radians(rng.uniform(-self.shear, self.shear))) for _ in range(2))
        matrix = np.array([[1, y], [x, 1]]) @ rotation
        matrix[:, 2] = rng.uniform(-self.translate, self.translate, 2) * (width, height)
        if self.centered:
            # The centre of the canvas is (width, height).
            matrix[:, 2] += (width / 2, height / 2) - matrix[:, :2] @ (width, height)
        return matrix, scale

    def kept(self, before: np.ndarray, after: np.ndarray, scale: float) -> np.ndarray:
        """Says which boxes [n, 4], before on the canvas, after in the result, stay [n] bool."""
        if not self.filter_boxes:
            return np.ones(len(after), bool)
        return worth_keeping(before * scale, after, min_side=2.0)


@dataclasses.dataclass(frozen=True)
class AffineWarp:
    """Turns, scales, shears and shifts one sample about its middle; its size stays.

    Attributes:
        affine: Ranges of the draws; `centered` is implied.
        fill: Grey value of pixels that come from outside.
    """

    affine: RandomAffine = RandomAffine(scale=(0.5, 1.5))
    fill: int = geometry.FILL

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Maps a sample to one of the same size; objects that left the image are dropped."""
        height, width = sample.size
        matrix, scale = dataclasses.replace(self.affine, centered=False).draw((height, width), rng)
        middle = np.array([(width - 1) / 2, (height - 1) / 2])
        matrix[:, 2] += middle - matrix[:, :2] @ middle
        moved = geometry.warp(sample, matrix, sample.size, fill=self.fill)
        if sample.objects is None or moved.objects is None:
            return moved
        kept = self.affine.kept(sample.objects.boxes, moved.objects.boxes, scale)
        return geometry.drop_empty(moved.replace(objects=moved.objects.take(kept)))


def worth_keeping(before: np.ndarray, after: np.ndarray, *, min_side: float) -> np.ndarray:
    """Says which boxes [n] are large, not slim, and not cut away (YOLOv5, YOLOX's first releases).

    Args:
        before: Boxes before they were cut, at the scale of those after [n, 4].
        after: What is left of them [n, 4]: more than a fifth, with an aspect ratio below 20.
        min_side: Both sides must be longer, in pixels.
    """
    width, height = (after[:, 2:] - after[:, :2]).T
    return (
        (np.minimum(width, height) > min_side)
        & (np.maximum(width, height) < _MAX_ASPECT * np.minimum(width, height))
        & (width * height > _MIN_VISIBLE * boxes_of.area(before))
    )
