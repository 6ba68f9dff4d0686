"""Random crops of random size and shape (GoogLeNet, Szegedy et al. 2014, section 6).

https://arxiv.org/abs/1409.4842; the numbers are those of torchvision's `RandomResizedCrop`.
"""

import dataclasses
import math
from typing import NamedTuple

import cv2
import numpy as np


class Window(NamedTuple):
    """A part of an image, in its pixels."""

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
        if not 0 < self.area[0] <= self.area[1] <= 1:
            raise ValueError(f"area must be two shares in (0, 1], in order, got {self.area}")
        if not 0 < self.aspect[0] <= self.aspect[1]:
            raise ValueError(f"aspect must be two positive numbers, in order, got {self.aspect}")

    def window(self, height: int, width: int, rng: np.random.Generator) -> Window:
        """Draws the part to cut from an image of a size in pixels.

        Of an image in which ten draws do not fit, the largest centred part whose shape is allowed
        is taken.
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
        """Returns at what part of its size, 1, 2, 4 or 8, a JPEG file may be decoded for a window.

        The window keeps at least as many pixels as the result has.
        """
        room = min(window.height / self.size[0], window.width / self.size[1])
        return max(r for r in (1, 2, 4, 8) if r <= max(room, 1))

    def cut(self, image: np.ndarray, window: Window, reduction: int = 1) -> np.ndarray:
        """Cuts a window and resizes it.

        Args:
            image: RGB image [ceil(H / reduction), ceil(W / reduction), 3] uint8.
            window: In pixels of the image [H, W, 3].
            reduction: Side of the squares whose mean each pixel of `image` is.

        Returns:
            RGB image [*size, 3] uint8.
        """
        top, left = window.top // reduction, window.left // reduction
        bottom = max(top + 1, round((window.top + window.height) / reduction))
        right = max(left + 1, round((window.left + window.width) / reduction))
        part = image[top:bottom, left:right]
        height, width = self.size
        if part.shape[:2] == (height, width):
            return part
        shrinks = part.shape[0] >= height and part.shape[1] >= width
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return cv2.resize(part, (width, height), interpolation=method)

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Maps an RGB image [H, W, 3] uint8 to [*size, 3]."""
        height, width, _ = image.shape
        return self.cut(image, self.window(height, width, rng))
