"""From a source of images with objects to rows of a `DetectionBatch`."""

import dataclasses
from collections.abc import Callable

import numpy as np

from jaxvision.data.source import Source

Row = dict[str, np.ndarray]
Example = Callable[[int, np.random.Generator], Row]


def detection_train_example(
    source: Source,
    image_size: tuple[int, int],
    max_objects: int = 120,
    *,
    no_aug: bool = False,
    mosaic: float = 0.0,
    mixup: float = 0.0,
    mosaic_scale: tuple[float, float] = (0.1, 2.0),
    degrees: float = 10.0,
    translate: float = 0.1,
    shear: float = 2.0,
    affine_centered: bool = False,
    filter_boxes: bool = False,
    max_reduction: int = 8,
    crop: float = 0.0,
    cutmix: float = 0.0,
    vertical_flip: float = 0.0,
    jitter: float = 0.0,
    erasing: float = 0.0,
    cutout: int = 0,
    hsv: float = 1.0,
    hsv_gain: bool = False,
    flip: float = 0.5,
    min_side: float = 1.0,
) -> Example:
    """Returns a function `(index, rng) -> row` of image, boxes, classes, valid, index."""
    raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class DetectionEvalExample:
    """Prepares one image of a source for evaluation: letterbox only, every object kept.

    Attributes:
        source: Where the examples come from.
        image_size: Height and width of the network's input in pixels.
        max_objects: Objects an image, N; what the fullest image needs by default.
        shapes: Heights and widths that an image is padded to instead, as `rectangles` lists them.
    """

    source: Source
    image_size: tuple[int, int]
    max_objects: int | None = None
    shapes: tuple[tuple[int, int], ...] = ()

    def groups(self) -> list[list[int]]:
        """Returns the indices of the images of each shape, for `InOrder(groups=...)`."""
        raise NotImplementedError

    def __call__(self, index: int, rng: np.random.Generator | None = None) -> Row:
        """Returns the keys of a `DetectionBatch` for one image, all but `mask`."""
        raise NotImplementedError


detection_eval_example = DetectionEvalExample
