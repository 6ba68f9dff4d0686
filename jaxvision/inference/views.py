"""Parts of an image that a detector sees one by one, and the way of their boxes back to the image.

Small objects in large images are found in windows at full resolution, as in Akyon et al. 2022,
https://arxiv.org/abs/2202.06934; a mirror image and other scales see an object again (test-time
augmentation).
"""

import dataclasses
import itertools
from typing import NamedTuple

import numpy as np

from jaxvision.data.augment.letterbox import Letterbox, rectangles
from jaxvision.data.sample import Sample
from jaxvision.data.source import Transform

# Share of a window's side that it has in common with the next one.
OVERLAP = 0.2
# Sides of the network's input relative to its own, with test-time augmentation.
SCALES = (1.0, 0.75, 1.25)
# Sides of inputs are multiples of it.
_STRIDE = 32
# A box that ends in this share of a window's side from an edge inside the image is cut off there.
_EDGE = 0.01


class View(NamedTuple):
    """A part of an image as the network's input shows it.

    Attributes:
        left: Where the part starts, pixels of the image.
        top: The same, downwards.
        width: Of the part, pixels of the image.
        height: The same, downwards.
        scale: Pixels of the input per pixel of the image.
        mirrored: Whether right and left are exchanged.
        inner: Which of the part's edges x1, y1, x2, y2 lie inside the image.
        least: Objects whose sides are shorter, in pixels of the image, are left to other views.
        columns: First and last column of the image, exclusive, that a window of a label map counts
            for.
    """

    left: int
    top: int
    width: int
    height: int
    scale: float
    mirrored: bool = False
    inner: tuple[bool, bool, bool, bool] = (False, False, False, False)
    least: float = 0.0
    columns: tuple[int, int] = (0, 0)

    def to_image(self, boxes: np.ndarray) -> np.ndarray:
        """Maps boxes xyxy [K, 4] from pixels of the input to pixels of the image."""
        boxes = boxes / np.float32(self.scale)
        if self.mirrored:
            boxes = np.stack(
                [self.width - boxes[:, 2], boxes[:, 1], self.width - boxes[:, 0], boxes[:, 3]],
                axis=1,
            )
        return boxes + np.array([self.left, self.top] * 2, np.float32)

    def left_to_others(self, boxes: np.ndarray) -> np.ndarray:
        """Says which boxes [K, 4], in pixels of the image, another view shows better [K].

        An object that an edge inside the image cuts off is whole elsewhere, and one that is small
        enough to be whole in some window is seen there at a higher resolution.
        """
        small = np.max(boxes[:, 2:] - boxes[:, :2], axis=1) < self.least
        right, bottom = self.left + self.width, self.top + self.height
        x, y = _EDGE * self.width, _EDGE * self.height
        reached = np.stack(
            [
                boxes[:, 0] <= self.left + x,
                boxes[:, 1] <= self.top + y,
                boxes[:, 2] >= right - x,
                boxes[:, 3] >= bottom - y,
            ],
            axis=1,
        )
        return small | np.any(reached & np.array(self.inner)[None], axis=1)


@dataclasses.dataclass(frozen=True)
class Views:
    """Prepares an image, or several parts of it, as inputs of a network.

    Attributes:
        transform: Prepares an image as evaluation does.
        tta: Whether each part is also seen mirrored, and at `scales`.
        tile: Side of square windows in pixels of the image, which overlap by a fifth and are seen
            beside the whole image; None for the whole image alone.
        scales: Sides of the inputs relative to the network's own, with `tta`.

    Raises:
        ValueError: If `tta` is asked of another transform than `Letterbox`, or the window is
            smaller than 32 pixels.
    """

    transform: Transform
    tta: bool = False
    tile: int | None = None
    scales: tuple[float, ...] = SCALES

    def __post_init__(self) -> None:
        if self.tta and not isinstance(self.transform, Letterbox):
            kind = type(self.transform).__name__
            raise ValueError(f"tta needs a detector whose transform is Letterbox, got {kind}")
        if self.tile is not None and self.tile < _STRIDE:
            raise ValueError(f"tile must be at least {_STRIDE} pixels, got {self.tile}")

    @property
    def several(self) -> bool:
        """Whether an image may have several views, whose boxes are to be merged."""
        return self.tta or self.tile is not None

    def __call__(self, image: np.ndarray) -> list[tuple[View, np.ndarray]]:
        """Maps RGB [H, W, 3] uint8 to views, and inputs [h, w, 3] uint8."""
        found = []
        parts = self._parts(*image.shape[:2])
        for left, top, width, height in parts:
            whole = (height, width) == image.shape[:2]
            least = OVERLAP * (self.tile or 0) if whole and len(parts) > 1 else 0.0
            part = image[top : top + height, left : left + width]
            inner = (
                left > 0,
                top > 0,
                left + width < image.shape[1],
                top + height < image.shape[0],
            )
            for transform, mirrored in itertools.product(self._transforms(), (False, True)):
                if mirrored and not self.tta:
                    continue
                shown = np.ascontiguousarray(part[:, ::-1]) if mirrored else part
                # Evaluation draws nothing; the generator only completes the signature.
                sample = transform(Sample(shown, 0), np.random.default_rng(0))
                view = View(left, top, width, height, sample.scale, mirrored, inner, least)
                found.append((view, sample.image))
        return found

    def _parts(self, height: int, width: int) -> list[tuple[int, int, int, int]]:
        """Lists left, top, width and height of the whole image and the windows."""
        whole = (0, 0, width, height)
        side = self.tile
        if side is None or (height <= side and width <= side):
            return [whole]
        return [
            whole,
            *(
                (left, top, min(side, width), min(side, height))
                for top in _starts(height, side)
                for left in _starts(width, side)
            ),
        ]

    def _transforms(self) -> list[Transform]:
        if not self.tta or not isinstance(self.transform, Letterbox):
            return [self.transform]
        found: list[Transform] = []
        for scale in self.scales:
            height, width = (
                max(_STRIDE, round(side * scale / _STRIDE) * _STRIDE)
                for side in self.transform.size
            )
            shapes = rectangles(height) if self.transform.shapes and height == width else ()
            short_side = round(self.transform.short_side * scale)
            found.append(Letterbox((height, width), shapes, short_side))
        return list(dict.fromkeys(found))


def of_one_shape(transform: Transform) -> Transform:
    """Returns a transform whose results have one shape: a `Letterbox` without others."""
    if isinstance(transform, Letterbox):
        return dataclasses.replace(transform, shapes=())
    return transform


def _starts(length: int, side: int) -> list[int]:
    """Places windows along an axis: equally far apart, by at most 4/5 of their side."""
    if length <= side:
        return [0]
    count = 1 + int(np.ceil((length - side) / (side * (1 - OVERLAP))))
    return np.rint(np.linspace(0, length - side, count)).astype(int).tolist()
