"""From a picture to one of low resolution: blur, downsizing, noise, JPEG, rounding.

Bicubic downsizing alone is MATLAB's, by which most published results are measured.
"""

import dataclasses

import cv2
import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.image import decode_image
from jaxvision.data.imresize import imresize, rounded
from jaxvision.ops import ranges

DOWNSIZE = ("bicubic", "direct")


@dataclasses.dataclass(frozen=True, eq=False)
class Degradation:
    """Makes small pictures of large ones.

    Of two numbers, a value is drawn between them; equal numbers are that value, zeros nothing.

    Attributes:
        scale: Pixels of the large picture along one of the small one.
        blur: Standard deviation of a Gaussian kernel in pixels of the large picture.
        elongation: Largest ratio of the kernel's two standard deviations, in any direction; `blur`
            is the smaller one.
        kernel: A fixed kernel [k, k] in place of a Gaussian, centred on the pixels of the small
            picture.
        downsize: `bicubic`, or `direct`: the value at the middle of each small pixel, which is how
            blurred pictures are downsized with a known kernel.
        noise: Standard deviation of Gaussian noise, of 255.
        jpeg: Quality of JPEG, from 1 to 100.
        rounded: Whether results are rounded to 8 bits. The published results of SRCNN are of
            pictures that are not.

    Raises:
        ValueError: If a value is out of its range.
    """

    scale: int
    blur: tuple[float, float] = (0.0, 0.0)
    elongation: float = 1.0
    kernel: np.ndarray | None = None
    downsize: str = "bicubic"
    noise: tuple[float, float] = (0.0, 0.0)
    jpeg: tuple[int, int] = (0, 0)
    rounded: bool = True

    def __post_init__(self) -> None:
        ranges.check(self, "[1, 64]", "scale")
        ranges.check(self, "[1, inf)", "elongation")
        ranges.check_pair(self, "[0, 100]", "blur", "jpeg")
        ranges.check_pair(self, "[0, 255]", "noise")
        if self.downsize not in DOWNSIZE:
            raise ValueError(
                f"degradation.downsize must be one of {', '.join(DOWNSIZE)}, got {self.downsize}"
            )
        if self.kernel is not None and (
            self.kernel.ndim != 2 or not np.isfinite(self.kernel).all()
        ):
            raise ValueError(f"a kernel must be [k, k] finite, got {self.kernel.shape}")
        if self.downsize == "direct" and not self.blur[1] and self.kernel is None:
            raise ValueError("degradation.downsize=direct needs a blur, or lines become stairs")
        if self.jpeg[1] and not self.rounded:
            raise ValueError("degradation.jpeg needs pictures of 8 bits: degradation.rounded=True")

    @property
    def random(self) -> bool:
        """Whether a picture has more than one counterpart."""
        drawn = any(low != high for low, high in (self.blur, self.noise, self.jpeg))
        return drawn or self.noise[1] > 0 or (self.elongation > 1 and self.kernel is None)

    def fixed_kernel(self) -> np.ndarray | None:
        """Returns the kernel that blurs every picture alike; None for none.

        Raises:
            ValueError: If kernels are drawn.
        """
        if self.kernel is None and (self.blur[0] != self.blur[1] or self.elongation > 1):
            raise ValueError(
                "expected one kernel for all pictures: degradation.blur of two equal numbers and "
                f"elongation 1, got {self.blur} and {self.elongation}"
            )
        rng = np.random.default_rng(0)  # nothing is drawn between equal numbers
        return self._gaussian(rng) if self.kernel is None else self.kernel

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Maps RGB [s * H, s * W, C] uint8 to [H, W, C], uint8 if `rounded`, else float32."""
        kernel = self.kernel if self.kernel is not None else self._gaussian(rng)
        small = image
        if kernel is not None:
            small = _filtered(image.astype(np.float32), kernel)
        elif not self.rounded:
            small = image.astype(np.float32)
        if self.downsize == "direct":
            first = self.scale // 2
            small = small[first :: self.scale, first :: self.scale]
        else:
            small = imresize(small, 1 / self.scale)
        if self.noise[1]:
            spread = rng.uniform(*self.noise)
            small = small + rng.normal(0, spread, small.shape).astype(np.float32)
        if not self.rounded:
            return small.astype(np.float32)
        if small.dtype != np.uint8:
            small = rounded(small).astype(np.uint8)
        if self.jpeg[1]:
            small = _compressed(small, int(rng.integers(self.jpeg[0], self.jpeg[1] + 1)))
        return small

    def _gaussian(self, rng: np.random.Generator) -> np.ndarray | None:
        if not self.blur[1]:
            return None
        deviation = rng.uniform(*self.blur)
        if not deviation:
            return None
        ratio = rng.uniform(1, self.elongation) if self.elongation > 1 else 1.0
        angle = rng.uniform(0, np.pi) if self.elongation > 1 else 0.0
        # The pixel that `direct` takes lies half a pixel beside the middle of an even block.
        shift = (self.scale - 1) / 2 - self.scale // 2 if self.downsize == "direct" else 0.0
        return gaussian_kernel(deviation, deviation * ratio, angle, shift=shift)


def gaussian_kernel(
    deviation: float, other: float | None = None, angle: float = 0.0, *, shift: float = 0.0
) -> np.ndarray:
    """Returns a Gaussian kernel [k, k] float32 that sums to 1, k odd.

    Args:
        deviation: Standard deviation in pixels.
        other: That of the second axis; the same by default.
        angle: From the columns to the second axis, radians.
        shift: Of the middle to the right and down, pixels.
    """
    other = deviation if other is None else other
    half = int(np.ceil(3 * max(deviation, other))) + 1
    y, x = np.mgrid[-half : half + 1, -half : half + 1] - shift
    along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    kernel = np.exp(-0.5 * ((along / other) ** 2 + (across / deviation) ** 2))
    return (kernel / kernel.sum()).astype(np.float32)


def cropped(image: np.ndarray, scale: int, name: str) -> np.ndarray:
    """Cuts a picture at the right and bottom to a multiple of the scale.

    Raises:
        DataError: If nothing is left.
    """
    height, width = (side // scale * scale for side in image.shape[:2])
    if not height or not width:
        raise DataError(
            f"{name}: {image.shape[1]} x {image.shape[0]} pixels are too few for the scale {scale}"
        )
    return image[:height, :width]


def _filtered(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    found = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT)
    return found if found.ndim == 3 else found[..., None]


def _compressed(image: np.ndarray, quality: int) -> np.ndarray:
    options = [cv2.IMWRITE_JPEG_QUALITY, max(quality, 1)]
    data = cv2.imencode(".jpg", image[..., ::-1], options)[1]
    return decode_image(data.tobytes(), "a compressed patch")
