"""RandAugment: a few random operations of one strength (Cubuk et al. 2019).

https://arxiv.org/abs/1909.13719, with the 14 operations of its section 3 and the strengths of
torchvision's `RandAugment` with 31 levels, which are those of AutoAugment.
"""

import dataclasses
import math
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from jaxvision.data.augment import geometry
from jaxvision.data.augment.color import adjust_saturation
from jaxvision.data.sample import Sample
from jaxvision.ops import ranges

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
        ranges.check(self, "[0, 100]", "operations")
        ranges.check(self, f"[0, {LEVELS - 1}]", "magnitude")
        ranges.check(self, "[0, inf)", "deviation")
        ranges.check(self, "[0, 1]", "probability")
        ranges.check(self, "[0, 255]", "fill")

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


def _move(matrix: Callable[[int, int, float], npt.ArrayLike]) -> Operation:
    """Makes an operation of a function of height, width and strength that gives a matrix [2, 3]."""

    def move(sample: Sample, strength: float, fill: int) -> Sample:
        moves = np.array(matrix(*sample.size, strength))
        return geometry.drop_empty(geometry.warp(sample, moves, sample.size, fill=fill))

    return move


def _recolor(change: Callable[[np.ndarray, float], np.ndarray]) -> Operation:
    """Makes an operation of a function of image [H, W, 3] uint8 and strength."""
    return lambda sample, strength, fill: geometry.map_image(
        sample, lambda image: change(image, strength)
    )


def _contrast(image: np.ndarray, strength: float) -> np.ndarray:
    factor = 1.0 + 0.9 * strength
    mean = math.floor(float(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).mean()) + 0.5)
    return cv2.addWeighted(image, factor, image, 0.0, (1.0 - factor) * mean)


def _sharpness(image: np.ndarray, strength: float) -> np.ndarray:
    """Moves towards a smoothed image or away from it; the outermost pixels stay."""
    if min(image.shape[:2]) < 3:
        return image
    kernel = np.ones((3, 3), np.float32)
    kernel[1, 1] = 5.0
    smooth = image.copy()
    smooth[1:-1, 1:-1] = cv2.filter2D(image, -1, kernel / 13.0)[1:-1, 1:-1]
    factor = 1.0 + 0.9 * strength
    return cv2.addWeighted(image, factor, smooth, 1.0 - factor, 0.0)


def _solarize(image: np.ndarray, strength: float) -> np.ndarray:
    """Inverts the values from a threshold on, which falls from 255 to 0."""
    values = np.arange(256)
    table = np.where(values >= 255.0 * (1.0 - strength), 255 - values, values).astype(np.uint8)
    return cv2.LUT(image, table)


def _by_channel(image: np.ndarray, table: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Maps the values of each channel through a table [256] made from its histogram [256]."""
    # Exact: float32 counts to 16 million pixels of one value.
    counts = [cv2.calcHist([image], [c], None, [256], [0, 256]).ravel() for c in range(3)]
    tables = [table(count.astype(np.int64)) for count in counts]
    return cv2.LUT(image, np.stack(tables, axis=-1)[None].astype(np.uint8))


def _stretched(histogram: np.ndarray) -> np.ndarray:
    """Stretches the values in use to [0, 255]."""
    present = np.flatnonzero(histogram)
    low, high = int(present[0]), int(present[-1])
    if high <= low:
        return np.arange(256)
    scale = 255.0 / (high - low)
    return np.clip((np.arange(256) * scale - low * scale).astype(int), 0, 255)


def _equalized(histogram: np.ndarray) -> np.ndarray:
    """Makes the values equally frequent."""
    # As Pillow: the brightest value in use does not count for the width of a step.
    present = histogram[histogram > 0]
    step = int(present.sum() - present[-1]) // 255
    if len(present) <= 1 or not step:
        return np.arange(256)
    before = np.concatenate([[0], np.cumsum(histogram)[:-1]])
    return np.minimum((step // 2 + before) // step, 255)


# Shears by up to 0.3, shifts by up to 150/331 of a side, turns by up to 30 degrees; the blends go
# towards something or away from it by up to 0.9; posterised values keep their upper 8 to 4 bits.
# OpenCV's functions: those of Pillow's `ImageOps` and `ImageEnhance` take 1.4 to 50 times as long.
OPERATIONS: dict[str, Operation] = {
    "identity": lambda sample, strength, fill: sample,
    "shear_x": _move(lambda h, w, s: [[1, 0.3 * s, 0], [0, 1, 0]]),
    "shear_y": _move(lambda h, w, s: [[1, 0, 0], [0.3 * s, 1, 0]]),
    "translate_x": _move(lambda h, w, s: [[1, 0, int(150.0 / 331.0 * w * s)], [0, 1, 0.0]]),
    "translate_y": _move(lambda h, w, s: [[1, 0, 0.0], [0, 1, int(150.0 / 331.0 * h * s)]]),
    "rotate": _move(
        lambda h, w, s: cv2.getRotationMatrix2D(((w - 1) / 2, (h - 1) / 2), 30.0 * s, 1.0)
    ),
    "brightness": _recolor(lambda x, s: cv2.convertScaleAbs(x, alpha=1.0 + 0.9 * s)),
    "color": _recolor(lambda x, s: adjust_saturation(x, 1.0 + 0.9 * s)),
    "contrast": _recolor(_contrast),
    "sharpness": _recolor(_sharpness),
    "posterize": _recolor(lambda x, s: x & np.uint8(0xFF << round(4 * s) & 0xFF)),
    "solarize": _recolor(_solarize),
    "autocontrast": _recolor(lambda x, s: _by_channel(x, _stretched)),
    "equalize": _recolor(lambda x, s: _by_channel(x, _equalized)),
}
# Those with two directions.
SIGNED = frozenset(OPERATIONS) - {"identity", "posterize", "solarize", "autocontrast", "equalize"}
