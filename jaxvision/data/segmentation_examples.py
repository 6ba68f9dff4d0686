"""From a source of images with label maps to rows of a `SegmentationBatch`."""

import dataclasses
import functools
from typing import Any

import numpy as np

from jaxvision.data.augment.color import ColorJitter
from jaxvision.data.augment.elastic import Elastic
from jaxvision.data.augment.flip import HorizontalFlip, VerticalFlip
from jaxvision.data.augment.letterbox import Letterbox
from jaxvision.data.augment.object_crop import ObjectCrop
from jaxvision.data.augment.scale_crop import ScaleCrop
from jaxvision.data.border_weights import BorderWeights
from jaxvision.data.rows import segmentation_row
from jaxvision.data.source import Source, Transform
from jaxvision.data.transforms import Example, Pipeline


def segmentation_train_example(
    source: Source,
    image_size: tuple[int, int],
    *,
    scale: tuple[float, float] = (0.5, 2.0),
    flip: float = 0.5,
    vertical_flip: float = 0.0,
    jitter: float = 0.0,
    elastic: float = 0.0,
    elastic_spacing: int = 32,
    objects: bool = False,
    border: BorderWeights | None = None,
) -> Example:
    """Returns a function `(index, rng) -> row`: scale, crop, elastic deformation, flip, colour.

    Args:
        source: Where the images come from.
        image_size: Height and width of the network's input in pixels.
        scale: Least and largest scale; 1 is that at which an image just fits into the input.
        flip: Probability of a mirror image.
        vertical_flip: Probability of turning upside down.
        jitter: Range of brightness, contrast and saturation.
        elastic: Standard deviation of the displacements in pixels of the input; 0 for none.
        elastic_spacing: Distance of the points that are displaced, in pixels of the input.
        objects: Whether single objects are cut out first, with the rest as background.
        border: Weighs the pixels between objects.

    Returns:
        Rows of image [H, W, 3], label_map [H, W], index [], and pixel_weights [H, W] with `border`.

    Raises:
        ValueError: If a number is out of its range.
    """
    limits: Any = tuple(scale)  # a config holds a list
    transforms: list[Transform] = [ObjectCrop()] if objects else []
    transforms.append(ScaleCrop(image_size, limits))
    deformation = Elastic(elastic, elastic_spacing)
    if elastic:
        transforms.append(deformation)
    transforms.append(HorizontalFlip(flip))
    if vertical_flip:
        transforms.append(VerticalFlip(vertical_flip))
    if jitter:
        transforms.append(ColorJitter(jitter, jitter, jitter))
    row = functools.partial(segmentation_row, border=border)
    return Example(source, Pipeline(transforms=tuple(transforms)), row)


@dataclasses.dataclass(frozen=True)
class SegmentationEvalExample:
    """Prepares one image of a source for evaluation: resized to fit, the rest grey and void.

    Attributes:
        source: Where the images come from.
        image_size: Height and width of the network's input in pixels.
        full_size: Whether `truth` holds the label map at the image's own size.
    """

    source: Source
    image_size: tuple[int, int]
    full_size: bool = False

    def __call__(self, index: int, rng: np.random.Generator | None = None) -> dict[str, Any]:
        """Returns the keys of a `SegmentationBatch` for one image, all but `mask`."""
        original = self.source[index]
        row = segmentation_row(Letterbox(self.image_size)(original, rng))
        return {**row, "truth": original.mask} if self.full_size else row
