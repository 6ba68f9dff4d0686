"""RandAugment: a few random operations of one strength (Cubuk et al. 2019).

https://arxiv.org/abs/1909.13719, with the 14 operations of its section 3 and the strengths of
torchvision's `RandAugment` with 31 levels, which are those of AutoAugment.
"""

import dataclasses
import math
from collections.abc import Callable

import cv2
import numpy as np

from jaxvision.data.augment import geometry
from jaxvision.data.sample import Sample

LEVELS = 31

# Maps a sample, a strength in [-1, 1] and the grey value of empty pixels to a sample.
Operation = Callable[[Sample, float, int], Sample]


@dataclasses.dataclass(frozen=True)
class RandAugment:
    """Applies `operations` operations, each drawn with replacement from `OPERATIONS`.

    Departs from the reference: it resamples the nearest pixel, here bilinear; and a posterised
    image keeps at least 4 bits in both, as the paper has it.

    Attributes:
        operations: How many, the paper's N.
        magnitude: Strength, the paper's M, in [0, 30]; in either direction where an operation has
            two.
        fill: Grey value of what a turn or shift leaves empty.
        deviation: Standard deviation of each operation's magnitude, as in timm.
        probability: Of each operation that it is applied at all, 0.5 in timm.
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

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Maps a sample to one of the same size; objects that left the image are dropped."""
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
            sample = OPERATIONS[name](sample, strength, self.fill)
        return sample


def enhance(image: np.ndarray, plain: np.ndarray, factor: float) -> np.ndarray:
    """Blends an image [H, W, 3] uint8 with a plain one: 0 gives that, 1 the image, 2 overshoots."""
    return cv2.addWeighted(image, factor, plain, 1.0 - factor, 0.0)


def brightness(image: np.ndarray, strength: float) -> np.ndarray:
    """Towards black or away from it, by up to 0.9."""
    return cv2.convertScaleAbs(image, alpha=1.0 + 0.9 * strength)


def color(image: np.ndarray, strength: float) -> np.ndarray:
    """Towards its grey values or away from them, by up to 0.9."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return enhance(image, grey, 1.0 + 0.9 * strength)


def contrast(image: np.ndarray, strength: float) -> np.ndarray:
    """Towards its mean grey or away from it, by up to 0.9."""
    mean = math.floor(float(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).mean()) + 0.5)
    return enhance(image, np.full_like(image, mean), 1.0 + 0.9 * strength)


def sharpness(image: np.ndarray, strength: float) -> np.ndarray:
    """Towards a smoothed image or away from it, by up to 0.9; the outermost pixels stay."""
    if min(image.shape[:2]) < 3:
        return image
    kernel = np.ones((3, 3), np.float32)
    kernel[1, 1] = 5.0
    smooth = image.copy()
    smooth[1:-1, 1:-1] = cv2.filter2D(image, -1, kernel / 13.0)[1:-1, 1:-1]
    return enhance(image, smooth, 1.0 + 0.9 * strength)


def posterize(image: np.ndarray, strength: float) -> np.ndarray:
    """Keeps the upper 8 to 4 bits of every value."""
    bits = 8 - round(4 * strength)
    return image & np.uint8(0xFF << (8 - bits) & 0xFF)


def solarize(image: np.ndarray, strength: float) -> np.ndarray:
    """Inverts the values from a threshold on, which falls from 255 to 0."""
    values = np.arange(256)
    table = np.where(values >= 255.0 * (1.0 - strength), 255 - values, values).astype(np.uint8)
    return cv2.LUT(image, table)


def autocontrast(image: np.ndarray, strength: float = 0.0) -> np.ndarray:
    """Stretches each channel to [0, 255]."""
    del strength
    return _by_channel(image, _stretched)


def equalize(image: np.ndarray, strength: float = 0.0) -> np.ndarray:
    """Makes the values of each channel equally frequent."""
    del strength
    return _by_channel(image, _equalized)


def shear_x(size: tuple[int, int], strength: float) -> np.ndarray:
    """Moves rows by up to 0.3 of their distance to the top."""
    del size
    return np.array([[1.0, 0.3 * strength, 0.0], [0.0, 1.0, 0.0]])


def shear_y(size: tuple[int, int], strength: float) -> np.ndarray:
    """Moves columns by up to 0.3 of their distance to the left."""
    del size
    return np.array([[1.0, 0.0, 0.0], [0.3 * strength, 1.0, 0.0]])


def translate_x(size: tuple[int, int], strength: float) -> np.ndarray:
    """Shifts by up to 150/331 of the width."""
    return np.array([[1.0, 0.0, int(150.0 / 331.0 * size[1] * strength)], [0.0, 1.0, 0.0]])


def translate_y(size: tuple[int, int], strength: float) -> np.ndarray:
    """Shifts by up to 150/331 of the height."""
    return np.array([[1.0, 0.0, 0.0], [0.0, 1.0, int(150.0 / 331.0 * size[0] * strength)]])


def rotate(size: tuple[int, int], strength: float) -> np.ndarray:
    """Turns by up to 30 degrees about the middle."""
    center = (size[1] - 1) / 2, (size[0] - 1) / 2
    return cv2.getRotationMatrix2D(center, 30.0 * strength, 1.0)


def _identity(sample: Sample, strength: float, fill: int) -> Sample:
    del strength, fill
    return sample


def _move(matrix: Callable[[tuple[int, int], float], np.ndarray]) -> Operation:
    """Makes an operation of a function of image size and strength that gives a matrix [2, 3]."""

    def move(sample: Sample, strength: float, fill: int) -> Sample:
        size = sample.size
        moved = geometry.warp(sample, matrix(size, strength), size, fill=fill)
        return geometry.drop_empty(moved)

    return move


def _recolor(change: Callable[[np.ndarray, float], np.ndarray]) -> Operation:
    """Makes an operation of a function of image [H, W, 3] uint8 and strength."""

    def recolor(sample: Sample, strength: float, fill: int) -> Sample:
        del fill
        return geometry.map_image(sample, lambda image: change(image, strength))

    return recolor


# OpenCV's functions: those of Pillow's `ImageOps` and `ImageEnhance` take 4 to 50 times as long,
# but for the last two, where they take as long.
OPERATIONS: dict[str, Operation] = {
    "identity": _identity,
    "shear_x": _move(shear_x),
    "shear_y": _move(shear_y),
    "translate_x": _move(translate_x),
    "translate_y": _move(translate_y),
    "rotate": _move(rotate),
    "brightness": _recolor(brightness),
    "color": _recolor(color),
    "contrast": _recolor(contrast),
    "sharpness": _recolor(sharpness),
    "posterize": _recolor(posterize),
    "solarize": _recolor(solarize),
    "autocontrast": _recolor(autocontrast),
    "equalize": _recolor(equalize),
}
# Those with two directions.
SIGNED = frozenset(
    [
        "shear_x",
        "shear_y",
        "translate_x",
        "translate_y",
        "rotate",
        "brightness",
        "color",
        "contrast",
        "sharpness",
    ]
)


def _by_channel(image: np.ndarray, table: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Maps the values of each channel through a table [256] made from its histogram [256]."""
    histograms = [cv2.calcHist([image], [c], None, [256], [0, 256]).ravel() for c in range(3)]
    # Exact: float32 counts to 16 million pixels of one value.
    tables = [table(histogram.astype(np.int64)) for histogram in histograms]
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
