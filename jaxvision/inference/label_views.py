"""Parts of an image that a segmentation network sees one by one, and how their answers are joined.

A large image is seen in overlapping windows at full resolution. In the outer quarter of an overlap,
where a window lacks what surrounds a pixel, the neighbour alone counts; between, both are blended.
An image that is wider than eight windows is seen in stripes, one after another. Windows that reach
into two stripes are seen twice, so that the sums of one stripe alone are in memory.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxvision.data.augment.letterbox import Letterbox, fitted
from jaxvision.data.probabilities import enlarged_labels
from jaxvision.data.sample import Sample
from jaxvision.inference.images import Part
from jaxvision.inference.views import SCALES, View

# Starts and sides of windows are multiples of it, so that each is pooled as the whole would be.
STRIDE = 32
# Share of a window's side that it has in common with the next one.
_OVERLAP = 0.25
# Windows along a row of a stripe, without those that begin in the stripe before.
_STRIPE = 8


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

    def __call__(self, image: np.ndarray) -> Sequence[tuple[View, np.ndarray]]:
        """Maps RGB [H, W, 3] uint8 to views, and inputs [h, w, 3] uint8.

        Windows are cut out when they are asked for.
        """
        if self.tile is not None:
            return _Windows(image, self.tile, self.tta)
        found = self._whole(image)
        if not self.tta:
            return found
        mirrored = [(view._replace(mirrored=True), _mirrored(view, shown)) for view, shown in found]
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


class _Windows(Sequence[tuple[View, np.ndarray]]):
    """The windows of an image, each followed by its mirror image if these are asked for."""

    def __init__(self, image: np.ndarray, side: int, mirrored: bool) -> None:
        self._image, self._side = image, side
        self._turns = 2 if mirrored else 1
        self._stripes = stripes(image.shape[1], side)
        self._tops = window_starts(image.shape[0], side)

    def __len__(self) -> int:
        starts = sum(len(lefts) for _, lefts in self._stripes)
        return starts * len(self._tops) * self._turns

    def __getitem__(self, place: Any) -> Any:
        place, turn = divmod(place, self._turns)
        number = 0
        # Behind the last stripe an IndexError ends the iteration.
        while place >= (count := len(self._stripes[number][1]) * len(self._tops)):
            place, number = place - count, number + 1
        columns, lefts = self._stripes[number]
        row, column = divmod(place, len(lefts))
        view, side = self._view(lefts[column], self._tops[row], columns), self._side
        part = self._image[view.top : view.top + side, view.left : view.left + side]
        if (view.height, view.width) != (side, side):
            pads = ((0, side - view.height), (0, side - view.width), (0, 0))
            part = np.pad(part, pads, mode="symmetric")
        if turn:
            return view._replace(mirrored=True), _mirrored(view, part)
        return view, part

    def _view(self, left: int, top: int, columns: tuple[int, int]) -> View:
        height, width = self._image.shape[:2]
        right, bottom = min(left + self._side, width), min(top + self._side, height)
        inner = left > 0, top > 0, right < width, bottom < height
        return View(left, top, right - left, bottom - top, 1.0, inner=inner, columns=columns)


def _mirrored(view: View, shown: np.ndarray) -> np.ndarray:
    """Mirrors what an input shows of the image; what fills it up stays where it is."""
    rows, columns = _content(view, shown.shape)
    shown = shown.copy()
    shown[:rows, :columns] = shown[:rows, :columns][:, ::-1]
    return shown


def stripes(width: int, side: int) -> list[tuple[tuple[int, int], list[int]]]:
    """Divides the columns of an image.

    Args:
        width: Of the image in pixels.
        side: Of a window.

    Returns:
        First and last column, exclusive, of each stripe, and where the windows start that reach
        into it.
    """
    starts = window_starts(width, side)
    cuts = [0, *starts[_STRIPE::_STRIPE], width]
    return [
        ((left, right), [start for start in starts if start < right and start + side > left])
        for left, right in zip(cuts[:-1], cuts[1:], strict=True)
    ]


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
    the rows of a stripe that the next windows still add to: beside the label map itself, memory
    does not grow with the image.
    """

    def __init__(self, tile: int | None) -> None:
        """Takes the side of the windows, None for views of the whole image."""
        self._tile = tile
        self._whole: list[np.ndarray] = []
        self._labels: np.ndarray | None = None
        self._stripe: _Stripe | None = None

    def append(self, answer: tuple[Part, Any]) -> None:
        """Adds the probabilities [h, w, K] for a view; windows come in the order of the views."""
        part, probabilities = answer[0], np.asarray(answer[1])
        rows, columns = _content(part.view, probabilities.shape)
        probabilities = probabilities[:rows, :columns]
        if part.view.mirrored:
            probabilities = probabilities[:, ::-1]
        if self._tile is None:
            self._whole.append(probabilities)
            return
        if self._labels is None:
            self._labels = np.empty(part.size, np.uint8)
        if self._stripe is None or self._stripe.columns != part.view.columns:
            self._finish()
            classes = probabilities.shape[-1]
            self._stripe = _Stripe(self._labels, part.view.columns, self._tile, classes)
        self._stripe.add(part.view, probabilities)

    def label_map(self, size: tuple[int, int]) -> np.ndarray:
        """Returns the most probable class of each pixel [H, W] uint8."""
        if self._labels is None:
            return enlarged_labels(self._whole, size)
        self._finish()
        return self._labels

    def _finish(self) -> None:
        if self._stripe is not None:
            self._stripe.finish()


class _Stripe:
    """Sums of weighted probabilities of a stripe's rows that windows still add to."""

    def __init__(
        self, labels: np.ndarray, columns: tuple[int, int], side: int, classes: int
    ) -> None:
        """Takes the image's label map to write into, and the columns to decide."""
        self.columns = columns
        self._labels = labels[:, columns[0] : columns[1]]
        self._top, self._side = 0, side
        self._sums = np.zeros((side, columns[1] - columns[0], classes), np.float32)

    def add(self, view: View, probabilities: np.ndarray) -> None:
        self._decide(view.top)
        left, right = self.columns
        own = slice(max(left - view.left, 0), min(right - view.left, probabilities.shape[1]))
        weighted = probabilities[:, own] * window_weights(view, self._side)[:, own, None]
        top, start = view.top - self._top, view.left + own.start - left
        self._sums[top : top + weighted.shape[0], start : start + weighted.shape[1]] += weighted

    def finish(self) -> None:
        self._decide(len(self._labels))

    def _decide(self, top: int) -> None:
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
