"""Random crops of random size and shape (GoogLeNet, Szegedy et al. 2014, section 6).

https://arxiv.org/abs/1409.4842; the numbers are those of torchvision's `RandomResizedCrop`.
"""

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from jaxvision.data.augment import geometry
from jaxvision.data.sample import Sample
from jaxvision.data.source import Source
from jaxvision.ops import ranges


class Window(NamedTuple):
    """A part of an image in its pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclasses.dataclass(frozen=True)
class RandomResizedCrop:
    """Cuts a part of random area and aspect ratio and resizes it.

    Departs from the reference: Pillow's filter there; here, the mean of the pixels covered where
    the part shrinks in both directions, else bilinear.

    Attributes:
        size: Height and width of the result in pixels.
        area: Least and largest area of the part as a share of the image's.
        aspect: Least and largest width by height of the part, drawn uniformly in the logarithm.
    """

    size: tuple[int, int]
    area: tuple[float, float] = (0.08, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)

    def __post_init__(self) -> None:
        ranges.check_pair(self, "(0, 1]", "area")
        ranges.check_pair(self, "(0, inf)", "aspect")

    def window(self, height: int, width: int, rng: np.random.Generator) -> Window:
        """Draws the part to cut from an image of a size in pixels.

        If ten draws do not fit, it is the largest centred part whose shape is allowed.
        """
        for _ in range(10):
            area = height * width * rng.uniform(*self.area)
            aspect = math.exp(rng.uniform(math.log(self.aspect[0]), math.log(self.aspect[1])))
            w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < w <= width and 0 < h <= height:
                top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
                return Window(int(top), int(left), h, w)
        w = min(width, max(1, round(height * self.aspect[1])))
        h = min(height, max(1, round(width / self.aspect[0])))
        return Window((height - h) // 2, (width - w) // 2, h, w)

    def reduction(self, window: Window) -> int:
        """Returns by how much an image may be reduced, 1, 2, 4 or 8, so that `window` shrinks."""
        room = min(window.height / self.size[0], window.width / self.size[1])
        return max(r for r in (1, 2, 4, 8) if r <= max(room, 1))

    def cut(self, sample: Sample, window: Window) -> Sample:
        """Cuts a window and resizes it to `size`."""
        top, left, height, width = window
        part = geometry.crop(sample, left, top, left + width, top + height)
        return geometry.resize(part, self.size, geometry.area_or_bilinear)

    def cut_reduced(self, image: np.ndarray, window: Window, reduction: int) -> np.ndarray:
        """Cuts a window out of an image or a clip, and resizes it to [..., *size, 3] uint8.

        The window is in pixels of [..., H, W, 3]; each pixel of `image`, [..., ceil(H / reduction),
        ceil(W / reduction), 3] uint8, is the mean of a square of side `reduction`.
        """
        top, left = window.top // reduction, window.left // reduction
        bottom = max(top + 1, round((window.top + window.height) / reduction))
        right = max(left + 1, round((window.left + window.width) / reduction))
        part = image[..., top:bottom, left:right, :]
        if part.shape[-3:-1] == self.size:
            return part
        return geometry.frames(lambda frame: geometry.area_or_bilinear(frame, self.size), part)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Maps a sample to one of `size`; objects that are cut away are dropped."""
        return geometry.drop_empty(self.cut(sample, self.window(*sample.size, rng)))


@dataclasses.dataclass(frozen=True)
class ReadCrop:
    """Reads a random resized crop, decoding the image at no more than the size that it needs.

    Attributes:
        crop: Draws the part.
    """

    crop: RandomResizedCrop

    def __call__(self, source: Source, index: int, rng: np.random.Generator) -> Sample:
        """Reads a part of an example."""
        found = source.annotation(index)
        if source.dense or found.objects is not None:
            return self.crop(source[index], rng)
        window = self.crop.window(found.height, found.width, rng)
        image, reduction = source.image(index, self.crop.reduction(window))
        image = self.crop.cut_reduced(image, window, reduction)
        return Sample(image, index, label=source.label(index))
