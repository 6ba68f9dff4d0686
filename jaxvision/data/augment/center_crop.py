"""The middle of an image, as networks for classification are evaluated on it."""

import dataclasses

import numpy as np
from PIL import Image

from jaxvision.data.augment import geometry
from jaxvision.data.sample import Sample


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
        if self.resize is not None and self.resize < 1:
            raise ValueError(f"resize must be at least 1 or None, got {self.resize}")

    def __call__(self, sample: Sample, rng: np.random.Generator | None = None) -> Sample:
        """Maps a sample to one of `size`."""
        del rng
        shorter = min(sample.size)
        if self.resize is not None and shorter != self.resize:
            height, width = sample.size
            size = height * self.resize // shorter, width * self.resize // shorter
            sample = geometry.resize(sample, size, _pillow)
            sample = sample.replace(scale=sample.scale * self.resize / shorter)
        sample = surround(sample, self.size)
        # Half a pixel goes to the even side, as Python rounds.
        top, left = (
            round((side - wanted) / 2) for side, wanted in zip(sample.size, self.size, strict=True)
        )
        return geometry.crop(sample, left, top, left + self.size[1], top + self.size[0])


def _pillow(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    channels = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    return np.asarray(channels.resize((size[1], size[0]), Image.Resampling.BILINEAR))


def surround(sample: Sample, size: tuple[int, int], margin: int = 0) -> Sample:
    """Surrounds a sample with black.

    Args:
        sample: An image of height H and width W with what it carries.
        size: Least height and width of the result in pixels.
        margin: Further pixels on every side.

    Returns:
        A sample of max(H, size[0]) + 2 * margin by max(W, size[1]) + 2 * margin pixels; the sample
        itself if nothing is missing.
    """
    height, width = sample.size
    rows, columns = max(0, size[0] - height), max(0, size[1] - width)
    return geometry.pad(
        sample,
        (height + rows + 2 * margin, width + columns + 2 * margin),
        left=columns // 2 + margin,
        top=rows // 2 + margin,
        fill=0,
    )
