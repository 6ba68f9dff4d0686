"""Small shifts: a crop of the image in a black frame (ResNet on CIFAR, He et al. 2015, 4.2)."""

import dataclasses

import numpy as np

from jaxvision.data.augment.center_crop import pad_to


@dataclasses.dataclass(frozen=True)
class PadCrop:
    """Frames an image in black and cuts a random part.

    Attributes:
        size: Height and width of the result in pixels. An image that is smaller is framed to this
            size first.
        padding: Width of the frame in pixels.
    """

    size: tuple[int, int]
    padding: int = 4

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Maps an RGB image [H, W, 3] uint8 to [*size, 3]."""
        image = pad_to(image, self.size, self.padding)
        top = int(rng.integers(image.shape[0] - self.size[0] + 1))
        left = int(rng.integers(image.shape[1] - self.size[1] + 1))
        return image[top : top + self.size[0], left : left + self.size[1]]
