"""Rectangles that hide a part of an image.

Random Erasing Data Augmentation, Zhong et al. 2017, https://arxiv.org/abs/1708.04896, algorithm 1.
Improved Regularization of Convolutional Neural Networks with Cutout, DeVries and Taylor 2017,
https://arxiv.org/abs/1708.04552, section 3.2.
"""

import dataclasses
import math

import cv2
import numpy as np

FILLS = ("noise", "color", "mean")
_TRIALS = 100


@dataclasses.dataclass(frozen=True)
class RandomErasing:
    """Overwrites a rectangle with noise (Zhong et al., image-aware, the numbers of section 4).

    The rectangle's area is a share of the image's, its height over its width the aspect ratio, both
    uniform in their ranges; it lies wholly in the image.

    Departs from the paper:
        Of 100 rectangles none may fit into a very slim image; it then stays as it is. The paper's
        fill with the mean pixel of ImageNet takes the image's own mean here.

    Attributes:
        probability: How often.
        area: Least and largest share of the image's area, in (0, 1].
        aspect: Least and largest height over width.
        fill: What the rectangle shows: `noise`, every value drawn from 0 to 255; `color`, one
            colour drawn so; `mean`, the image's mean colour; or one level of grey, 0 to 255.
        max_covered: Objects of which more than this share of the box is hidden are dropped; with 1,
            none is.

    Raises:
        ValueError: If a range is none, or `fill` is unknown.
    """

    probability: float = 0.5
    area: tuple[float, float] = (0.02, 0.4)
    aspect: tuple[float, float] = (0.3, 1 / 0.3)
    fill: str | int = "noise"
    max_covered: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.area[0] <= self.area[1] <= 1:
            raise ValueError(f"area must be two numbers, 0 < low <= high <= 1, got {self.area}")
        if not 0 < self.aspect[0] <= self.aspect[1]:
            raise ValueError(f"aspect must be two numbers, 0 < low <= high, got {self.aspect}")
        _check_fill(self.fill)

    def __call__(
        self, image: np.ndarray, boxes: np.ndarray, classes: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Maps an image [H, W, 3] to the same, boxes [n, 4] and classes [n] to those left."""
        if rng.random() >= self.probability:
            return image, boxes, classes
        height, width = image.shape[:2]
        for _ in range(_TRIALS):
            area = rng.uniform(*self.area) * height * width
            aspect = rng.uniform(*self.aspect)
            h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            left, top = int(rng.integers(width)), int(rng.integers(height))
            if h and w and left + w <= width and top + h <= height:
                place = (left, top, left + w, top + h)
                image = _fill(image, [place], self.fill, rng)
                kept = _kept(boxes, [place], self.max_covered, (height, width))
                return image, boxes[kept], classes[kept]
        return image, boxes, classes


@dataclasses.dataclass(frozen=True)
class Cutout:
    """Overwrites squares whose centres are uniform in the image (DeVries and Taylor).

    Squares may overlap and reach beyond the border: parts of them, or less than all of one at the
    rim, are seen then, which the paper found to matter.

    Departs from the paper:
        It fills with 0 after the mean was subtracted; the grey of the letterbox is this here.

    Attributes:
        squares: How many.
        side: Their sides in pixels.
        probability: How often.
        fill: As `RandomErasing`'s.
        max_covered: Objects of which the squares together hide more than this share of the box are
            dropped; with 1, none is.

    Raises:
        ValueError: If there is no square, or `fill` is unknown.
    """

    squares: int = 1
    side: int = 64
    probability: float = 1.0
    fill: str | int = 114
    max_covered: float = 1.0

    def __post_init__(self) -> None:
        if self.squares < 1 or self.side < 1:
            raise ValueError(
                f"squares and side must be at least 1, got {self.squares} and {self.side}"
            )
        _check_fill(self.fill)

    def __call__(
        self, image: np.ndarray, boxes: np.ndarray, classes: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Maps an image [H, W, 3] to the same, boxes [n, 4] and classes [n] to those left."""
        if rng.random() >= self.probability:
            return image, boxes, classes
        height, width = image.shape[:2]
        places = []
        for _ in range(self.squares):
            left = int(rng.integers(width)) - self.side // 2
            top = int(rng.integers(height)) - self.side // 2
            right, bottom = left + self.side, top + self.side
            places.append((max(left, 0), max(top, 0), min(right, width), min(bottom, height)))
        image = _fill(image, places, self.fill, rng)
        kept = _kept(boxes, places, self.max_covered, (height, width))
        return image, boxes[kept], classes[kept]


def _check_fill(fill: str | int) -> None:
    if fill in FILLS or (isinstance(fill, int) and 0 <= fill <= 255):
        return
    raise ValueError(f"fill must be one of {', '.join(FILLS)} or in 0 to 255, got {fill}")


def _fill(
    image: np.ndarray,
    places: list[tuple[int, int, int, int]],
    fill: str | int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Overwrites rectangles, x1, y1, x2, y2, of a copy of an image [H, W, 3]."""
    mean = np.rint(cv2.mean(image)[:3]) if fill == "mean" else None
    image = image.copy()
    for x1, y1, x2, y2 in places:
        if fill == "noise":
            image[y1:y2, x1:x2] = rng.integers(0, 256, (y2 - y1, x2 - x1, 3), np.uint8)
        elif fill == "color":
            image[y1:y2, x1:x2] = rng.integers(0, 256, 3, np.uint8)
        else:
            image[y1:y2, x1:x2] = fill if mean is None else mean
    return image


def _kept(
    boxes: np.ndarray,
    places: list[tuple[int, int, int, int]],
    max_covered: float,
    size: tuple[int, int],
) -> np.ndarray:
    """Says of which boxes [n, 4] the rectangles together hide at most a share [n] bool.

    Counted over the pixels that a box reaches, in an image of the given height and width.
    """
    if max_covered >= 1:
        return np.ones(len(boxes), bool)
    hidden = np.zeros(size, bool)
    for x1, y1, x2, y2 in places:
        hidden[y1:y2, x1:x2] = True
    low, high = np.floor(boxes[:, :2]).astype(int), np.ceil(boxes[:, 2:]).astype(int)
    seen = [
        hidden[y1:y2, x1:x2] for (x1, y1), (x2, y2) in zip(low.tolist(), high.tolist(), strict=True)
    ]
    return np.array([part.sum() <= max_covered * part.size for part in seen], bool)
