"""Crops of a fixed size: the middle for evaluation, a small random shift for training."""

import dataclasses

import numpy as np
from PIL import Image

from jaxvision.data.augment import geometry
from jaxvision.data.sample import Sample
from jaxvision.ops import ranges


@dataclasses.dataclass(frozen=True)
class CenterCrop:
    """Resizes the shorter side and cuts the middle, pixel for pixel as torchvision does on Pillow.

    Attributes:
        size: Height and width of the result in pixels. A smaller image is surrounded by black.
        resize: Length of the shorter side before the cut in pixels; None to leave the image as it
            is. Pillow's bilinear filter, which covers all pixels where the image shrinks.
    """

    size: tuple[int, int]
    resize: int | None = None

    def __post_init__(self) -> None:
        if self.resize is not None:
            ranges.check(self, "[1, 65_535]", "resize")

    def __call__(self, sample: Sample, rng: np.random.Generator | None = None) -> Sample:
        """Maps a sample to one of `size`."""
        shorter = min(sample.size)
        if self.resize is not None and shorter != self.resize:
            height, width = sample.size
            size = height * self.resize // shorter, width * self.resize // shorter
            sample = geometry.resize(sample, size, _pillow)
            sample = sample.replace(scale=sample.scale * self.resize / shorter)
        sample = _surround(sample, self.size)
        # Half a pixel goes to the even side, as Python rounds.
        top, left = (
            round((side - wanted) / 2) for side, wanted in zip(sample.size, self.size, strict=True)
        )
        return geometry.crop(sample, left, top, left + self.size[1], top + self.size[0])


@dataclasses.dataclass(frozen=True)
class PadCrop:
    """Frames an image in black and cuts a random part (ResNet on CIFAR, He et al. 2015, 4.2).

    Attributes:
        size: Height and width of the result in pixels. An image that is smaller is framed to this
            size first.
        padding: Width of the frame in pixels.
    """

    size: tuple[int, int]
    padding: int = 4

    def __post_init__(self) -> None:
        ranges.check(self, "[0, 10_000]", "padding")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Maps a sample to one of `size`; objects that are cut away are dropped."""
        sample = _surround(sample, self.size, self.padding)
        height, width = sample.size
        top = int(rng.integers(height - self.size[0] + 1))
        left = int(rng.integers(width - self.size[1] + 1))
        part = geometry.crop(sample, left, top, left + self.size[1], top + self.size[0])
        return geometry.drop_empty(part)


def _pillow(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    channels = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    return np.asarray(channels.resize((size[1], size[0]), Image.Resampling.BILINEAR))


def _surround(sample: Sample, size: tuple[int, int], margin: int = 0) -> Sample:
    """Surrounds a sample with black, to at least a height and width and by a margin on top."""
    height, width = sample.size
    rows, columns = max(0, size[0] - height), max(0, size[1] - width)
    return geometry.pad(
        sample,
        (height + rows + 2 * margin, width + columns + 2 * margin),
        left=columns // 2 + margin,
        top=rows // 2 + margin,
        fill=0,
    )
