"""From a source of images with classes to rows of a `ClassificationBatch`."""

from collections.abc import Callable

import numpy as np

from jaxvision.data.source import Source

Row = dict[str, np.ndarray]
Example = Callable[[int, np.random.Generator], Row]


def classification_train_example(
    source: Source,
    image_size: tuple[int, int],
    *,
    crop: str = "resized",
    crop_area: tuple[float, float] = (0.08, 1.0),
    crop_aspect: tuple[float, float] = (3 / 4, 4 / 3),
    padding: int = 4,
    flip: float = 0.5,
    operations: int = 0,
    magnitude: float = 9.0,
    deviation: float = 0.0,
    probability: float = 1.0,
) -> Example:
    """Returns a function `(index, rng) -> row` of image, index, and label or targets.

    `crop` is `resized` (RandomResizedCrop) or `pad` (PadCrop: frame of `padding`, random shift).
    RandAugment applies where `operations` is above 0.
    """
    raise NotImplementedError


def classification_eval_example(
    source: Source, image_size: tuple[int, int], *, resize: int | None = None
) -> Example:
    """Returns a function `(index, rng) -> row`: shorter side to `resize`, then the middle."""
    raise NotImplementedError
