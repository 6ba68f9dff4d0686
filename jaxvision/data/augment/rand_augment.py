"""RandAugment: a few random operations of one strength (Cubuk et al. 2019).

https://arxiv.org/abs/1909.13719, with the 14 operations of its section 3 and the strengths of
torchvision's `RandAugment` with 31 levels, which are those of AutoAugment.
"""

import dataclasses
import math
from collections.abc import Callable

import cv2
import numpy as np

LEVELS = 31


@dataclasses.dataclass(frozen=True)
class RandAugment:
    """Applies `operations` operations, each drawn with replacement from `OPERATIONS`.

    Departs from the reference: it resamples the nearest pixel, here bilinear; and a posterised
    image keeps at least 4 bits in both, as the paper has it.

    Attributes:
        operations: How many, the paper's N.
        magnitude: Strength, the paper's M, in [0, 30]; those with a direction take either.
        fill: Grey value of what a turn or shift leaves empty.
        deviation: Standard deviation of each operation's magnitude, which timm has besides.
        probability: Of each operation that it is applied at all, which timm has at 0.5.
    """

    operations: int = 2
    magnitude: float = 9
    fill: int = 0
    deviation: float = 0.0
    probability: float = 1.0

    def __post_init__(self) -> None:
        if self.operations < 0:
            raise ValueError(f"operations must be at least 0, got {self.operations}")
        if not 0 <= self.magnitude <= LEVELS - 1:
            raise ValueError(f"magnitude must be in [0, {LEVELS - 1}], got {self.magnitude}")
        if self.deviation < 0:
            raise ValueError(f"deviation must be at least 0, got {self.deviation}")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be in [0, 1], got {self.probability}")

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Maps an RGB image [H, W, 3] uint8 to the same."""
        names = tuple(OPERATIONS)
        for _ in range(self.operations):
            name = names[int(rng.integers(len(names)))]
            if self.probability < 1 and rng.random() >= self.probability:
                continue
            strength = self.magnitude / (LEVELS - 1)
            if self.deviation:
                strength += rng.normal(0.0, self.deviation / (LEVELS - 1))
                strength = min(max(strength, 0.0), 1.0)
            if name in SIGNED and rng.random() < 0.5:
                strength = -strength
            image = OPERATIONS[name](image, strength, self.fill)
        return image


def enhance(image: np.ndarray, plain: np.ndarray, factor: float) -> np.ndarray:
    """Blends an image [H, W, 3] uint8 with a plain one: 0 gives that, 1 the image, 2 overshoots."""
    return cv2.addWeighted(image, factor, plain, 1.0 - factor, 0.0)


def brightness(image: np.ndarray, strength: float, fill: int = 0) -> np.ndarray:
    """Towards black or away from it, by up to 0.9."""
    del fill
    return cv2.convertScaleAbs(image, alpha=1.0 + 0.9 * strength)


def color(image: np.ndarray, strength: float, fill: int = 0) -> np.ndarray:
    """Towards its grey values or away from them, by up to 0.9."""
    del fill
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return enhance(image, grey, 1.0 + 0.9 * strength)


def contrast(image: np.ndarray, strength: float, fill: int = 0) -> np.ndarray:
    """Towards its mean grey or away from it, by up to 0.9."""
    del fill
    mean = math.floor(float(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).mean()) + 0.5)
    return enhance(image, np.full_like(image, mean), 1.0 + 0.9 * strength)


def sharpness(image: np.ndarray, strength: float, fill: int = 0) -> np.ndarray:
    """Towards a smoothed image or away from it, by up to 0.9; the outermost pixels stay."""
    del fill
    if min(image.shape[:2]) < 3:
        return image
    kernel = np.ones((3, 3), np.float32)
    kernel[1, 1] = 5.0
    smooth = image.copy()
    smooth[1:-1, 1:-1] = cv2.filter2D(image, -1, kernel / 13.0)[1:-1, 1:-1]
    return enhance(image, smooth, 1.0 + 0.9 * strength)


def posterize(image: np.ndarray, strength: float, fill: int = 0) -> np.ndarray:
    """Keeps the upper 8 to 4 bits of every value."""
    del fill
    bits = 8 - round(4 * strength)
    return image & np.uint8(0xFF << (8 - bits) & 0xFF)


def solarize(image: np.ndarray, strength: float, fill: int = 0) -> np.ndarray:
    """Inverts the values from a threshold on, which falls from 255 to 0."""
    del fill
    values = np.arange(256)
    table = np.where(values >= 255.0 * (1.0 - strength), 255 - values, values).astype(np.uint8)
    return cv2.LUT(image, table)


def autocontrast(image: np.ndarray, strength: float = 0.0, fill: int = 0) -> np.ndarray:
    """Stretches each channel to [0, 255]."""
    del strength, fill
    return _by_channel(image, _stretched)


def equalize(image: np.ndarray, strength: float = 0.0, fill: int = 0) -> np.ndarray:
    """Makes the values of each channel equally frequent."""
    del strength, fill
    return _by_channel(image, _equalized)


def identity(image: np.ndarray, strength: float = 0.0, fill: int = 0) -> np.ndarray:
    """Nothing."""
    del strength, fill
    return image


def shear_x(image: np.ndarray, strength: float, fill: int = 0) -> np.ndarray:
    """Moves rows by up to 0.3 of their distance to the top."""
    return _warp(image, [[1.0, 0.3 * strength, 0.0], [0.0, 1.0, 0.0]], fill)


def shear_y(image: np.ndarray, strength: float, fill: int = 0) -> np.ndarray:
    """Moves columns by up to 0.3 of their distance to the left."""
    return _warp(image, [[1.0, 0.0, 0.0], [0.3 * strength, 1.0, 0.0]], fill)


def translate_x(image: np.ndarray, strength: float, fill: int = 0) -> np.ndarray:
    """Shifts by up to 150/331 of the width."""
    shift = int(150.0 / 331.0 * image.shape[1] * strength)
    return _warp(image, [[1.0, 0.0, shift], [0.0, 1.0, 0.0]], fill)


def translate_y(image: np.ndarray, strength: float, fill: int = 0) -> np.ndarray:
    """Shifts by up to 150/331 of the height."""
    shift = int(150.0 / 331.0 * image.shape[0] * strength)
    return _warp(image, [[1.0, 0.0, 0.0], [0.0, 1.0, shift]], fill)


def rotate(image: np.ndarray, strength: float, fill: int = 0) -> np.ndarray:
    """Turns by up to 30 degrees about the middle."""
    center = (image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2
    return _warp(image, cv2.getRotationMatrix2D(center, 30.0 * strength, 1.0), fill)


# Maps (image [H, W, 3] uint8, strength in [-1, 1], fill) to [H, W, 3] uint8.
OPERATIONS: dict[str, Callable[[np.ndarray, float, int], np.ndarray]] = {
    "identity": identity,
    "shear_x": shear_x,
    "shear_y": shear_y,
    "translate_x": translate_x,
    "translate_y": translate_y,
    "rotate": rotate,
    "brightness": brightness,
    "color": color,
    "contrast": contrast,
    "sharpness": sharpness,
    "posterize": posterize,
    "solarize": solarize,
    "autocontrast": autocontrast,
    "equalize": equalize,
}
SIGNED = frozenset(
    {
        "shear_x",
        "shear_y",
        "translate_x",
        "translate_y",
        "rotate",
        "brightness",
        "color",
        "contrast",
        "sharpness",
    }
)


def _warp(image: np.ndarray, matrix: list[list[float]] | np.ndarray, fill: int) -> np.ndarray:
    return cv2.warpAffine(
        image,
        np.asarray(matrix, np.float64),
        (image.shape[1], image.shape[0]),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(fill, fill, fill),
    )


def _by_channel(image: np.ndarray, table: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Maps the values of each channel through a table [256] made from its histogram [256]."""
    tables = [table(np.bincount(image[..., c].ravel(), minlength=256)) for c in range(3)]
    return cv2.LUT(image, np.stack(tables, axis=-1)[None].astype(np.uint8))


def _stretched(histogram: np.ndarray) -> np.ndarray:
    values = np.arange(256)
    present = np.flatnonzero(histogram)
    low, high = int(present[0]), int(present[-1])
    if high <= low:
        return values
    scale = 255.0 / (high - low)
    return np.clip((values * scale - low * scale).astype(int), 0, 255)


def _equalized(histogram: np.ndarray) -> np.ndarray:
    # As Pillow: the brightest value in use does not count for the width of a step.
    present = histogram[histogram > 0]
    step = int(present.sum() - present[-1]) // 255
    if len(present) <= 1 or not step:
        return np.arange(256)
    before = np.concatenate([[0], np.cumsum(histogram)[:-1]])
    return np.minimum((step // 2 + before) // step, 255)
