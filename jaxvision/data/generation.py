"""What generative models learn from: opening the data, and rows of a `GenerationBatch`."""

import dataclasses
from typing import Any

import numpy as np

from jaxvision.data.augment.fixed_crop import CenterCrop
from jaxvision.data.augment.flip import HorizontalFlip
from jaxvision.data.classification import classification_source
from jaxvision.data.readers.pictures import pictures
from jaxvision.data.rows import Row, classification_row
from jaxvision.data.source import Source
from jaxvision.data.sources.cached import cached
from jaxvision.data.transforms import Example, Pipeline


def generation_source(
    source: str, path: str | None, split: str, *, cache_bytes: int = 0, **options: Any
) -> Source:
    """Opens one split of a dataset.

    Args:
        source: `pictures`, any below a folder, or a format of `classification_source`.
        path: Folder of the dataset; None or empty for what is drawn.
        split: Name of the split.
        cache_bytes: Up to this many bytes of decoded images are kept in memory.
        **options: As for `classification_source`.

    Raises:
        DataError: If the dataset has a fault, or images with several labels.
        ValueError: If the format is unknown.
    """
    if source != "pictures":
        return classification_source(source, path, split, cache_bytes=cache_bytes, **options)
    if not path:
        raise ValueError("pictures need a folder: set data.path")
    return cached(pictures(path, split, **options), cache_bytes)


def generation_example(
    source: Source, image_size: tuple[int, int], *, resize: int | None, flip: float = 0.0
) -> Example:
    """Returns a function `(index, rng) -> row`: shorter side to `resize`, middle, mirror image.

    Args:
        source: Where the images come from.
        image_size: Height and width of the rows' images in pixels.
        resize: Length of the shorter side before the cut; None to leave images as they are.
        flip: Probability of a mirror image.
    """
    transforms = (CenterCrop(image_size, resize), HorizontalFlip(flip))
    return Example(source, Pipeline(transforms=transforms), classification_row)


@dataclasses.dataclass(frozen=True)
class Requests:
    """Rows that ask for images: classes in turn, and numbers to draw noise by.

    Attributes:
        num_classes: Number of classes, at least 1.
    """

    num_classes: int

    def __call__(self, index: int, rng: np.random.Generator | None = None) -> Row:
        """Returns `label` [] and `index` []."""
        del rng
        return {
            "label": np.asarray(index % self.num_classes, np.int32),
            "index": np.asarray(index, np.int32),
        }
