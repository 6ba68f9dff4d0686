"""Large pictures in overlapping windows, of whose results each gives the middle."""

import dataclasses
import math
from typing import NamedTuple

import numpy as np


class Window(NamedTuple):
    """A part of a picture that a network sees.

    Attributes:
        left: First column of the picture in it.
        top: First row.
        width: Columns; an input may be larger, and is then filled up with a mirror image.
        height: Rows.
        kept: left, top, right, bottom of what its result counts for, in pixels of the picture.
    """

    left: int
    top: int
    width: int
    height: int
    kept: tuple[int, int, int, int]


@dataclasses.dataclass(frozen=True)
class Windows:
    """Cuts pictures into windows of one size.

    Where windows overlap, each counts up to the middle of the overlap: there a network sees at
    least `overlap` pixels beyond. At the edge of a picture it sees what it sees of a whole picture.

    Attributes:
        side: Of a window in pixels; smaller pictures are seen whole.
        overlap: Least number of pixels that a window sees beyond what it counts for.
        filled: Whether smaller pictures are filled up to `side`, for networks of one input size.

    Raises:
        ValueError: If a window would consist of overlap alone.
    """

    side: int = 192
    overlap: int = 16
    filled: bool = False

    def __post_init__(self) -> None:
        if self.overlap < 0 or self.side <= 2 * self.overlap:
            raise ValueError(
                f"tile must be more than twice the overlap of {self.overlap} pixels, got "
                f"{self.side}"
            )

    def __call__(self, image: np.ndarray) -> list[tuple[Window, np.ndarray]]:
        """Maps a picture [H, W, C] to windows, and inputs [h, w, C]."""
        found = []
        rows, columns = (self._spans(length) for length in image.shape[:2])
        for top, bottom, first, last in rows:
            for left, right, start, stop in columns:
                part = image[top:bottom, left:right]
                if self.filled:
                    part = _filled(part, self.side)
                kept = start, first, stop, last
                window = Window(left, top, right - left, bottom - top, kept)
                found.append((window, np.ascontiguousarray(part)))
        return found

    def _spans(self, length: int) -> list[tuple[int, int, int, int]]:
        """Lists begin and end of the windows along an axis, and of what each counts for."""
        if length <= self.side:
            return [(0, length, 0, length)]
        step = self.side - 2 * self.overlap
        count = math.ceil((length - 2 * self.overlap) / step)
        starts = np.rint(np.linspace(0, length - self.side, count)).astype(int).tolist()
        middles = [
            (one + self.side + other) // 2
            for one, other in zip(starts[:-1], starts[1:], strict=True)
        ]
        return [
            (start, start + self.side, first, last)
            for start, first, last in zip(starts, [0, *middles], [*middles, length], strict=True)
        ]


def _filled(part: np.ndarray, side: int) -> np.ndarray:
    # A picture of less than half the side is mirrored more than once.
    pads = ((0, side - part.shape[0]), (0, side - part.shape[1]), (0, 0))
    return np.pad(part, pads, mode="symmetric")
