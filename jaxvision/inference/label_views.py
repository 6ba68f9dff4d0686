"""Parts of an image that a segmentation network sees one by one, and how their answers are joined.

A large image is seen in overlapping windows at full resolution. In the outer quarter of an overlap,
where a window lacks what surrounds a pixel, the neighbour alone counts; between, both are blended.
"""

import dataclasses
from typing import Any

import numpy as np

from jaxvision.data.augment.letterbox import Letterbox, fitted
from jaxvision.data.sample import Sample
from jaxvision.inference.images import Part
from jaxvision.inference.views import SCALES, View

# Starts and sides of windows are multiples of it, so that each is pooled as the whole would be.
STRIDE = 32
# Share of a window's side that it has in common with the next one.
_OVERLAP = 0.25
# Rows of the result that are interpolated at a time.
_BAND = 128


@dataclasses.dataclass(frozen=True)
class LabelViews:
    """Prepares an image, or several parts of it, as inputs of a segmentation network.

    Attributes:
        transform: Prepares an image as evaluation does.
        tta: Whether each part is also seen mirrored, and the whole image also at 3/4 and 5/4 of the
            input's size.
        tile: Side of windows in pixels of the image, which are seen in place of the whole image;
            None for the whole image.

    Raises:
        ValueError: If the window's side is not a multiple of 32.
    """

    transform: Letterbox
    tta: bool = False
    tile: int | None = None

    def __post_init__(self) -> None:
        if self.tile is not None and (self.tile < 2 * STRIDE or self.tile % STRIDE):
            raise ValueError(
                f"tile must be a multiple of {STRIDE}, at least {2 * STRIDE}, got {self.tile}"
            )

    def __call__(self, image: np.ndarray) -> list[tuple[View, np.ndarray]]:
        """Maps RGB [H, W, 3] uint8 to views, and inputs [h, w, 3] uint8."""
        found = self._whole(image) if self.tile is None else self._windows(image, self.tile)
        if not self.tta:
            return found
        mirrored = [
            (view._replace(mirrored=True), self._mirrored(view, shown)) for view, shown in found
        ]
        return [each for pair in zip(found, mirrored, strict=True) for each in pair]

    def _whole(self, image: np.ndarray) -> list[tuple[View, np.ndarray]]:
        height, width = image.shape[:2]
        found = []
        for scale in SCALES if self.tta else (1.0,):
            size = self.transform.size
            if scale != 1:
                rows, columns = (max(1, round(side * scale / STRIDE)) * STRIDE for side in size)
                size = rows, columns
            sample = Letterbox(size)(Sample(image, 0))
            found.append((View(0, 0, width, height, sample.scale), sample.image))
        return found

    def _windows(self, image: np.ndarray, side: int) -> list[tuple[View, np.ndarray]]:
        height, width = image.shape[:2]
        found = []
        for top in window_starts(height, side):
            for left in window_starts(width, side):
                part = image[top : top + side, left : left + side]
                rows, columns = part.shape[:2]
                inner = left > 0, top > 0, left + columns < width, top + rows < height
                if (rows, columns) != (side, side):
                    pads = ((0, side - rows), (0, side - columns), (0, 0))
                    part = np.pad(part, pads, mode="symmetric")
                found.append((View(left, top, columns, rows, 1.0, inner=inner), part))
        return found

    @staticmethod
    def _mirrored(view: View, shown: np.ndarray) -> np.ndarray:
        """Mirrors what an input shows of the image; what fills it up stays where it is."""
        rows, columns = _content(view, shown.shape)
        shown = shown.copy()
        shown[:rows, :columns] = shown[:rows, :columns][:, ::-1]
        return shown


def window_starts(length: int, side: int) -> list[int]:
    """Places windows along an axis at multiples of 32, a quarter or more of each shared.

    The last one may reach past the end, by less than 32 pixels where it is not the only one.
    """
    if length <= side:
        return [0]
    step = max(STRIDE, int(side * (1 - _OVERLAP)) // STRIDE * STRIDE)
    last = -(-(length - side) // STRIDE) * STRIDE
    return [*range(0, last, step), last]


class Joined:
    """Joins the answers for an image's views to its label map, row by row.

    Of a whole image, its few small answers are kept and interpolated; of windows, what is kept are
    the rows that the next windows still add to: memory grows with the width of an image alone.
    """

    def __init__(self, tile: int | None) -> None:
        """Takes the side of the windows, None for views of the whole image."""
        self._tile = tile
        self._whole: list[tuple[View, np.ndarray]] = []
        self._rows: _Rows | None = None

    def append(self, answer: tuple[Part, Any]) -> None:
        """Adds the probabilities [h, w, K] for a view; windows come row after row."""
        part, probabilities = answer[0], np.asarray(answer[1])
        rows, columns = _content(part.view, probabilities.shape)
        probabilities = probabilities[:rows, :columns]
        if part.view.mirrored:
            probabilities = probabilities[:, ::-1]
        if self._tile is None:
            self._whole.append((part.view, probabilities))
            return
        if self._rows is None:
            self._rows = _Rows(part.size, self._tile, probabilities.shape[-1])
        self._rows.add(part.view, probabilities)

    def label_map(self, size: tuple[int, int]) -> np.ndarray:
        """Returns the most probable class of each pixel [H, W] uint8."""
        if self._rows is not None:
            return self._rows.finished()
        height, width = size
        found = np.empty(size, np.uint8)
        for top in range(0, height, _BAND):
            bottom = min(top + _BAND, height)
            total = sum(
                (_interpolated(p, size, top, bottom) for _, p in self._whole), start=np.float32(0)
            )
            found[top:bottom] = np.argmax(total, axis=-1)
        return found


class _Rows:
    """Sums of weighted probabilities of the rows that windows still add to."""

    def __init__(self, size: tuple[int, int], side: int, classes: int) -> None:
        self._labels = np.empty(size, np.uint8)
        self._top, self._side = 0, side
        self._sums = np.zeros((side, size[1], classes), np.float32)

    def add(self, view: View, probabilities: np.ndarray) -> None:
        self._finish(view.top)
        weights = window_weights(view, self._side)
        top = view.top - self._top
        rows, columns = probabilities.shape[:2]
        place = slice(top, top + rows), slice(view.left, view.left + columns)
        self._sums[place] += probabilities * weights[:, :, None]

    def finished(self) -> np.ndarray:
        self._finish(len(self._labels))
        return self._labels

    def _finish(self, top: int) -> None:
        """Decides the rows above `top`, to which no window adds any more."""
        count = min(top - self._top, self._side)
        if count <= 0:
            return
        self._labels[self._top : self._top + count] = self._sums[:count].argmax(axis=-1)
        self._sums = np.concatenate([self._sums[count:], np.zeros_like(self._sums[:count])])
        self._top = top


def window_weights(view: View, side: int) -> np.ndarray:
    """Returns the weights [h, w] float32 of a window's pixels among those of its neighbours.

    Those of two windows a step apart sum to 1. At an edge of the image there is no neighbour.
    """
    overlap = side - max(STRIDE, int(side * (1 - _OVERLAP)) // STRIDE * STRIDE)
    left, top, right, bottom = view.inner

    def line(length: int, before: bool, after: bool) -> np.ndarray:
        position = np.arange(length, dtype=np.float32) + 0.5
        weights = np.ones(length, np.float32)
        # 0 in the outer quarter of the overlap, rising in its middle half.
        if before:
            weights = np.minimum(weights, (position - overlap / 4) / (overlap / 2))
        if after:
            weights = np.minimum(weights, (length - position - overlap / 4) / (overlap / 2))
        return np.clip(weights, 0.0, 1.0)

    rows = line(view.height, top, bottom)
    return rows[:, None] * line(view.width, left, right)[None]


def _content(view: View, shape: tuple[int, ...]) -> tuple[int, int]:
    """Returns height and width of what an input of a shape shows of the image."""
    if view.scale == 1.0 and (view.height <= shape[0] and view.width <= shape[1]):
        return view.height, view.width
    return fitted((view.height, view.width), (shape[0], shape[1]))[1]


def _interpolated(x: np.ndarray, size: tuple[int, int], top: int, bottom: int) -> np.ndarray:
    """Interpolates maps [h, w, K] bilinearly to a size; returns rows `top` to `bottom - 1`."""
    for axis, (side, start, stop) in enumerate(((size[0], top, bottom), (size[1], 0, size[1]))):
        position = (np.arange(start, stop) + 0.5) * (x.shape[axis] / side) - 0.5
        position = np.clip(position, 0, x.shape[axis] - 1)
        low = position.astype(np.int64)
        high = np.minimum(low + 1, x.shape[axis] - 1)
        weight = (position - low).astype(np.float32)
        weight = weight[:, None, None] if axis == 0 else weight[None, :, None]
        x = np.take(x, low, axis) * (1 - weight) + np.take(x, high, axis) * weight
    return x
