"""Cutting out what stands before a screen of one colour: a mask, a trimap, and alpha.

Pixels of the screen's hue are background. Small contours are dropped: specks in the background, and
holes in the foreground. In a band along the outline, alpha is how far a pixel lies on the line from
the nearest background colour to the nearest foreground colour, the projection with which matting by
sampling starts (Wang and Cohen 2007, Image and Video Matting, section 3).
"""

import dataclasses
from typing import NamedTuple

import cv2
import numpy as np

from jaxvision.data.sample import VOID
from jaxvision.ops import ranges

# Values of a trimap, as data sets of matting write it.
BACKGROUND, UNKNOWN, FOREGROUND = 0, 128, 255
# Share of the sides that the frame takes in which the screen's colour is looked for.
_FRAME = 0.04
# Least distance of two colours between which alpha is measured, of 255.
_APART = 12.0


class Matte(NamedTuple):
    """What was cut out.

    Attributes:
        foreground: Colours without the screen's, RGB [H, W, 3] uint8; of no meaning where alpha
            is 0.
        alpha: Opacity of the foreground [H, W] float32, in [0, 1].
        trimap: `BACKGROUND`, `UNKNOWN` along the outline, or `FOREGROUND` [H, W] uint8.
        key: The screen's colour, RGB in [0, 255].
    """

    foreground: np.ndarray
    alpha: np.ndarray
    trimap: np.ndarray
    key: tuple[int, int, int]

    def over(self, background: np.ndarray) -> np.ndarray:
        """Puts the foreground before another background RGB [H, W, 3] uint8.

        Raises:
            ValueError: If it has another size.
        """
        if background.shape != self.foreground.shape:
            raise ValueError(f"background must be {self.foreground.shape}, got {background.shape}")
        alpha = self.alpha[..., None]
        mixed = alpha * self.foreground + (1 - alpha) * background
        return np.rint(mixed).astype(np.uint8)

    def label_map(self, *, unknown: int = VOID) -> np.ndarray:
        """Returns 0 for background, 1 for foreground and `unknown` between [H, W] uint8."""
        known = (self.trimap == FOREGROUND).astype(np.uint8)
        return np.where(self.trimap == UNKNOWN, np.uint8(unknown), known)


@dataclasses.dataclass(frozen=True)
class GreenScreen:
    """Cuts out what stands before a screen.

        matte = GreenScreen()(image)
        matte.alpha, matte.over(beach), matte.label_map()

    Attributes:
        key: The screen's colour, RGB in [0, 255]; None for the most frequent hue along the edges of
            the picture.
        tolerance: Distance from the screen's colour at which a pixel is foreground, in the plane of
            Cb and Cr, where shadows of the screen stay near it.
        least: Share of the picture's pixels that a contour must have to be kept.
        band: Pixels on either side of the outline where alpha is between 0 and 1.

    Raises:
        ValueError: If a number is out of its range.
    """

    key: tuple[int, int, int] | None = None
    tolerance: float = 40.0
    least: float = 1e-3
    band: int = 4

    def __post_init__(self) -> None:
        ranges.check(self, "(0, 255]", "tolerance")
        ranges.check(self, "[0, 1]", "least")
        ranges.check(self, "[1, 1024]", "band")
        if self.key is not None:
            ranges.check(self, "[0, 255]", "key")
            if len(self.key) != 3:
                raise ValueError(f"key must be red, green and blue, got {self.key}")

    def __call__(self, image: np.ndarray) -> Matte:
        """Cuts out the foreground of RGB [H, W, 3] uint8.

        Raises:
            ValueError: If it is no such array.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise ValueError(
                f"image must be RGB [H, W, 3] uint8, got {list(image.shape)} {image.dtype}"
            )
        key = self.key or screen_colour(image)
        away = np.linalg.norm(_chroma(image) - _chroma(np.array([[key]], np.uint8)), axis=-1)
        mask = drop_small(away > self.tolerance, round(self.least * away.size))
        three = trimap(mask, self.band)
        alpha, foreground = _unmixed(image, three)
        return Matte(foreground, alpha, three, (int(key[0]), int(key[1]), int(key[2])))


def screen_colour(image: np.ndarray) -> tuple[int, int, int]:
    """Finds the colour of the screen: the median of the most frequent hue along the edges.

    Args:
        image: RGB [H, W, 3] uint8.

    Returns:
        RGB in [0, 255].
    """
    high, wide = (max(1, round(side * _FRAME)) for side in image.shape[:2])
    inner = np.ones(image.shape[:2], bool)
    inner[high:-high, wide:-wide] = False
    frame = image[inner][None]
    # Places in the plane of Cb and Cr, in cells of 16 values.
    cells = (_chroma(frame)[0] // 16).astype(np.int64) @ np.array([16, 1])
    own = frame[0, cells == np.bincount(cells).argmax()]
    red, green, blue = np.median(own, axis=0).round().astype(int).tolist()
    return red, green, blue


def drop_small(mask: np.ndarray, least: int) -> np.ndarray:
    """Drops contours of fewer than `least` pixels: areas of the foreground, and holes in it.

    Args:
        mask: Foreground [H, W] bool.
        least: Pixels.
    """
    for value in (True, False):
        found, areas, statistics, _ = cv2.connectedComponentsWithStats(
            (mask == value).astype(np.uint8), connectivity=8 if value else 4
        )
        small = statistics[:, cv2.CC_STAT_AREA] < least
        small[0] = False  # the other value
        if found > 1:
            mask = np.where(small[np.asarray(areas, np.int32)], not value, mask)
    return mask


def trimap(mask: np.ndarray, band: int) -> np.ndarray:
    """Returns a trimap [H, W] uint8: unknown up to `band` pixels from the outline of a mask."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * band + 1, 2 * band + 1))
    own = mask.astype(np.uint8)
    # Outside of the picture is what is inside: no outline runs along its edge.
    inside = cv2.erode(own, disc, borderType=cv2.BORDER_REPLICATE)
    outside = cv2.dilate(own, disc, borderType=cv2.BORDER_REPLICATE)
    return np.where(inside, FOREGROUND, np.where(outside, UNKNOWN, BACKGROUND)).astype(np.uint8)


def _chroma(image: np.ndarray) -> np.ndarray:
    """Returns Cb and Cr [H, W, 2] float32."""
    return cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2YCrCb)[..., 1:].astype(
        np.float32
    )


def _unmixed(image: np.ndarray, three: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns alpha [H, W] float32 and the colours of the foreground [H, W, 3] uint8."""
    alpha = (three == FOREGROUND).astype(np.float32)
    band = three == UNKNOWN
    foreground = image.copy()
    if not band.any() or not (three == FOREGROUND).any() or not (three == BACKGROUND).any():
        return alpha, foreground
    front, back = (
        _nearest(image, three == value)[band].astype(np.float32)
        for value in (FOREGROUND, BACKGROUND)
    )
    line = front - back
    length = np.maximum((line**2).sum(axis=-1), _APART**2)
    place = ((image[band] - back) * line).sum(axis=-1) / length
    alpha[band] = np.clip(place, 0, 1)
    foreground[band] = np.rint(front).astype(np.uint8)
    return alpha, foreground


def _nearest(image: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Gives each pixel the colour of the nearest one that is known."""
    _, found = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    labels = np.asarray(found, np.int32)
    colours = np.zeros((int(labels.max()) + 1, 3), np.uint8)
    colours[labels[known]] = image[known]
    return colours[labels]
