"""Examples that a single small picture gives: parts of it, and what they were if it were smaller.

Shocher et al. 2017, https://arxiv.org/abs/1712.06087, section 3: the picture itself is the target
("father"), the same degraded and interpolated is the input ("son").
"""

import dataclasses

import numpy as np

from jaxvision.data.augment.patch import EightFold, RandomPatch
from jaxvision.data.degradation import Degradation, cropped
from jaxvision.data.imresize import imresize, rounded, upscaled
from jaxvision.data.rows import Row, super_resolution_row
from jaxvision.data.sample import Sample
from jaxvision.data.source import Source
from jaxvision.ops import ranges


@dataclasses.dataclass(frozen=True)
class ZeroShotExample:
    """Maps `(index, rng)` to a row: a patch of a small picture, and its interpolated son.

    Attributes:
        source: Pairs, whose small pictures are all that is used.
        degradation: Makes sons.
        side: Of a patch in pixels; at most the shortest side of a picture.
        scale: Least and largest factor by which a picture is made smaller first.

    Raises:
        ValueError: If a value is out of its range.
    """

    source: Source
    degradation: Degradation
    side: int
    scale: tuple[float, float] = (0.6, 1.0)

    def __post_init__(self) -> None:
        ranges.check_pair(self, "(0, 1]", "scale")

    def __call__(self, index: int, rng: np.random.Generator) -> Row:
        """Returns image [side, side, 3] float32, interpolated, target [side, side, 3] and index."""
        picture = self.source[index].image
        factor = rng.uniform(*self.scale)
        # A third of the examples is of the picture as it is.
        if rng.random() < 2 / 3 and factor * min(picture.shape[:2]) >= self.side:
            picture = imresize(picture.astype(np.float32), factor)
            picture = rounded(picture).astype(np.uint8)
        father = cropped(picture, self.degradation.scale, self.source.name(index))
        son = self.degradation(father, rng)
        pair = Sample(upscaled(son, self.degradation.scale), index, target=father)
        pair = EightFold()(RandomPatch(self.side)(pair, rng), rng)
        return {name: np.asarray(x, order="C") for name, x in super_resolution_row(pair).items()}


def largest_patch(source: Source, scale: int, wanted: int) -> int:
    """Returns the side of patches: `wanted`, or less where a picture is smaller.

    Args:
        source: Pairs.
        scale: A patch is cut from a picture whose sides are multiples of it.
        wanted: Pixels.
    """
    sides = [min(source[i].size) // scale * scale for i in range(len(source))]
    return min(wanted, *sides)
