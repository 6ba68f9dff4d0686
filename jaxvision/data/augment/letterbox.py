"""Fits images of any size into the network's input without changing their aspect ratio.

YOLOX (Ge et al. 2021, https://arxiv.org/abs/2107.08430): bilinear to the largest size that fits, at
the top left, the rest filled with 114.
"""

import dataclasses

import numpy as np

from jaxvision.data.augment import geometry
from jaxvision.data.sample import Sample

# Height and width of each shape over the longer side: squares, 4:3 with 3:2, and 5:3 to 16:9.
_ASPECTS = ((0.6, 1.0), (1.0, 0.6), (0.75, 1.0), (1.0, 0.75), (1.0, 1.0))


def fitted(
    shape: tuple[int, int], size: tuple[int, int], short_side: int = 0
) -> tuple[float, tuple[int, int]]:
    """Returns the scale at which an image of `shape` just fits into `size`, and its new size.

    Both are height and width; the new size is rounded down. With `short_side` the scale is at most
    the one at which the shorter side has so many pixels, as in Faster R-CNN's recipes.
    """
    scale = min(size[0] / shape[0], size[1] / shape[1])
    if short_side:
        scale = min(scale, short_side / min(shape))
    # A strip of 2,000 x 1 pixels keeps one row.
    return scale, (max(1, int(shape[0] * scale)), max(1, int(shape[1] * scale)))


@dataclasses.dataclass(frozen=True)
class Fit:
    """Resizes, bilinearly, to the largest size that fits; sides are rounded down, boxes are not.

    Attributes:
        size: Height and width to fit into.
        short_side: As for `fitted`.
    """

    size: tuple[int, int]
    short_side: int = 0

    def __call__(self, sample: Sample, rng: np.random.Generator | None = None) -> Sample:
        """Maps a sample to one of at most `size`; its `scale` follows."""
        scale, shape = fitted(sample.size, self.size, self.short_side)
        fitting = geometry.resize(sample, shape, factor=scale)
        return fitting.replace(scale=sample.scale * scale)


@dataclasses.dataclass(frozen=True)
class Pad:
    """Fills up to the right and below; label maps with `VOID`.

    Attributes:
        size: Height and width of the result.
    """

    size: tuple[int, int]

    def __call__(self, sample: Sample, rng: np.random.Generator | None = None) -> Sample:
        """Maps a sample of at most `size` to one of `size`."""
        return geometry.pad(sample, self.size)


@dataclasses.dataclass(frozen=True)
class Letterbox:
    """`Fit` and `Pad` in one.

    Attributes:
        size: Height and width to fit into, and of the result.
        shapes: Heights and widths of results instead, as `rectangles` lists them: the first that
            holds the resized image; the last must be `size`.
        short_side: As for `fitted`.
    """

    size: tuple[int, int]
    shapes: tuple[tuple[int, int], ...] = ()
    short_side: int = 0

    def __post_init__(self) -> None:
        if self.shapes and self.shapes[-1] != self.size:
            raise ValueError(
                f"the last of shapes must be image_size, {self.size}, got {self.shapes[-1]}"
            )

    def __call__(self, sample: Sample, rng: np.random.Generator | None = None) -> Sample:
        """Maps a sample to one of `size` or of one of `shapes`."""
        fitting = Fit(self.size, self.short_side)(sample, rng)
        return Pad(self._padded(fitting.size))(fitting, rng)

    def shape(self, size: tuple[int, int]) -> tuple[int, int]:
        """Returns the height and width of the result for an image of height and width `size`."""
        return self._padded(fitted(size, self.size, self.short_side)[1])

    def _padded(self, inner: tuple[int, int]) -> tuple[int, int]:
        holds = (shape for shape in self.shapes if inner[0] <= shape[0] and inner[1] <= shape[1])
        return next(holds, self.size)


def rectangles(side: int, stride: int = 32) -> tuple[tuple[int, int], ...]:
    """Lists input shapes near those of the images, so that evaluation computes on less padding.

    Each is compiled separately. An image is resized as for the square, to a longer side of `side`,
    and then padded to the first shape that holds it.

    Args:
        side: Of the square in pixels, a positive multiple of `stride`.
        stride: Heights and widths are multiples of it.

    Returns:
        (height, width) of at most five shapes, smallest first, the square last.

    Raises:
        ValueError: If `side` is not a positive multiple of `stride`.
    """
    if side < stride or side % stride:
        raise ValueError(f"side must be a multiple of {stride}, got {side}")
    shapes = [tuple(-(-round(side * part) // stride) * stride for part in a) for a in _ASPECTS]
    return tuple(dict.fromkeys(shapes))  # pyright: ignore[reportReturnType]
