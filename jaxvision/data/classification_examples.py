"""From a source of images with classes to rows of a `ClassificationBatch`."""

from typing import Any

from jaxvision.data.augment.fixed_crop import CenterCrop, PadCrop
from jaxvision.data.augment.flip import HorizontalFlip
from jaxvision.data.augment.rand_augment import RandAugment
from jaxvision.data.augment.random_resized_crop import RandomResizedCrop, ReadCrop
from jaxvision.data.rows import classification_row
from jaxvision.data.source import Reader, Source, Transform
from jaxvision.data.transforms import Example, Pipeline

CROPS = ("resized", "pad")


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
    **options: Any,
) -> Example:
    """Returns a function `(index, rng) -> row`: crop, mirror image, RandAugment.

    Mixing of images and erasing belong to the task, which does them on the device.

    Args:
        source: Where the images come from.
        image_size: Height and width of the network's input in pixels.
        crop: `resized`, a part of random size (`RandomResizedCrop`), or `pad`, a random shift in a
            black frame (`PadCrop`).
        crop_area: Least and largest share of the image that `resized` shows.
        crop_aspect: Least and largest width by height of that part.
        padding: Width of the frame of `pad` in pixels.
        flip: Probability of a mirror image.
        operations: Operations of `RandAugment` an image; 0 for none.
        **options: Its further fields.

    Returns:
        Rows of image [H, W, 3], index [], and label [] or targets [K].

    Raises:
        ValueError: If `crop` is unknown or a number out of its range.
    """
    if crop not in CROPS:
        raise ValueError(f"crop must be one of {', '.join(CROPS)}, got {crop!r}")
    transforms: list[Transform] = [HorizontalFlip(flip)]
    randaugment = RandAugment(operations, **options)
    if operations:
        transforms.append(randaugment)
    if crop == "resized":
        resized = RandomResizedCrop(image_size, crop_area, crop_aspect)
        reader: Reader = Pipeline(ReadCrop(resized), tuple(transforms))
    else:
        reader = Pipeline(transforms=(PadCrop(image_size, padding), *transforms))
    return Example(source, reader, classification_row)


def classification_eval_example(
    source: Source, image_size: tuple[int, int], *, resize: int | None = None
) -> Example:
    """Returns a function `(index, rng) -> row`: shorter side to `resize` pixels, then the middle.

    Args:
        source: Where the images come from.
        image_size: Height and width of the network's input in pixels.
        resize: Length of the shorter side before the cut; None to leave images as they are.
    """
    middle = CenterCrop(image_size, resize)
    return Example(source, Pipeline(transforms=(middle,)), classification_row)
