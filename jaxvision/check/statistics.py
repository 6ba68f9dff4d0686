"""Statistics of a split: classes, objects, box sizes against strides, image sizes."""

from typing import NamedTuple

import numpy as np

from jaxvision.check.images import Header, ImageFacts
from jaxvision.check.objects import SMALL, TINY, in_pixels, input_sides
from jaxvision.data.sources.files import DetectionFiles

# Edges of the histogram of sqrt(area) at the network's input, pixels.
_SIDE_EDGES = (0, 2, 4, 8, 16, 32, 64, 128, 256, 512)
# By the anchors of RetinaNet (Lin et al. 2017, https://arxiv.org/abs/1708.02002, Sec. 4), one
# octave of 4 to 8 strides a level: below 64 pixels an object counts for stride 8, from 128 on for
# stride 32. This describes the data only; in SimOTA, all levels compete for every object.
STRIDES = (8, 16, 32)
_LEVEL_EDGES = (0, 64, 128)
_COUNT_EDGES = (0, 1, 2, 3, 6, 11, 21, 51, 101, 201)
_ASPECT_EDGES = (0, 0.25, 0.5, 0.75, 0.95, 1.05, 1.34, 2, 4)
_LISTED_SIZES = 12


class ClassCount(NamedTuple):
    """Objects of one class, crowds excluded.

    Attributes:
        name: Of the class.
        objects: How many.
        images: How many images have at least one.
        share: Part of all objects, in [0, 1].
    """

    name: str
    objects: int
    images: int
    share: float


class Bin(NamedTuple):
    """One bar of a histogram: low <= value < high.

    Attributes:
        low: Lower edge.
        high: Upper edge; None if there is none.
        count: How many.
    """

    low: float
    high: float | None
    count: int


class Spread(NamedTuple):
    """Some numbers, summarised; zeros of none."""

    least: float = 0.0
    median: float = 0.0
    mean: float = 0.0
    largest: float = 0.0


class Statistics(NamedTuple):
    """Numbers of one split.

    Objects are those that can be trained on: crowds and boxes without extent are excluded.

    Attributes:
        images: Images that the annotations name, missing ones excluded.
        unreadable: Images of these that cannot be read.
        without_objects: Images without an object.
        objects: Objects in all.
        crowds: Crowds, or ignored objects.
        classes: Each class.
        objects_per_image: Spread over the images.
        objects_per_image_bins: The same as a histogram.
        over_max_objects: Images with more objects than training takes.
        side: Spread of sqrt(area) after the letterbox, pixels of the input; of readable images.
        side_bins: The same as a histogram.
        levels: Objects for each stride, by the rule of RetinaNet's anchors.
        below_cell: Objects of sqrt(area) below one cell of stride 8.
        below_2px: Objects of sqrt(area) below 2 pixels.
        sizes: The most frequent (width, height, number of images).
        different_sizes: How many different ones there are.
        aspect_bins: Histogram of width / height of the images.
        rotated: Images with an EXIF rotation.
        greyscale: Images without colours.
        alpha: Images with an alpha channel.
        sixteen_bit: Images of more than 8 bits a channel.
    """

    images: int
    unreadable: int
    without_objects: int
    objects: int
    crowds: int
    classes: tuple[ClassCount, ...]
    objects_per_image: Spread
    objects_per_image_bins: tuple[Bin, ...]
    over_max_objects: int
    side: Spread
    side_bins: tuple[Bin, ...]
    levels: dict[str, int]
    below_cell: int
    below_2px: int
    sizes: tuple[tuple[int, int, int], ...]
    different_sizes: int
    aspect_bins: tuple[Bin, ...]
    rotated: int
    greyscale: int
    alpha: int
    sixteen_bit: int


def measure(
    source: DetectionFiles, facts: ImageFacts, *, image_size: int, max_objects: int
) -> Statistics:
    """Counts what a split and its images hold.

    Args:
        source: The split.
        facts: Of its images.
        image_size: Side of the network's input in pixels.
        max_objects: Objects an image that training takes.
    """
    annotations, report = source.annotations, source.report
    counts = report.counts
    image = annotations.images()
    rows = ~annotations.crowd
    classes = len(source.classes)
    # A pair of class and image, once however many objects it has.
    pairs = np.unique(annotations.classes[rows].astype(np.int64) * len(source) + image[rows])
    with_class = np.bincount(pairs // len(source), minlength=classes)

    measured = rows & facts.readable[image]
    boxes = in_pixels(annotations, facts.sizes)[measured]
    side, _ = input_sides(boxes, facts.sizes[image[measured]], image_size)
    levels = np.digitize(side, _LEVEL_EDGES) - 1

    sizes, often = np.unique(facts.sizes[facts.readable], axis=0, return_counts=True)
    order = np.argsort(-often, kind="stable")[:_LISTED_SIZES]
    width, height = facts.sizes[facts.readable].T
    headers = Header(*facts.headers.sum(axis=0).tolist())
    return Statistics(
        images=len(source),
        unreadable=int((~facts.readable).sum()),
        without_objects=int((counts == 0).sum()),
        objects=int(counts.sum()),
        crowds=report.crowds,
        classes=tuple(
            ClassCount(name, int(objects), int(images), float(objects / max(counts.sum(), 1)))
            for name, objects, images in zip(
                source.classes, report.per_class, with_class, strict=True
            )
        ),
        objects_per_image=_spread(counts),
        objects_per_image_bins=_bins(counts, _COUNT_EDGES),
        over_max_objects=int((counts > max_objects).sum()),
        side=_spread(side),
        side_bins=_bins(side, _SIDE_EDGES),
        levels={str(stride): int((levels == i).sum()) for i, stride in enumerate(STRIDES)},
        below_cell=int((side < SMALL).sum()),
        below_2px=int((side < TINY).sum()),
        sizes=tuple((int(sizes[i, 0]), int(sizes[i, 1]), int(often[i])) for i in order),
        different_sizes=len(sizes),
        aspect_bins=_bins(width / height, _ASPECT_EDGES),
        rotated=headers.rotated,
        greyscale=headers.grey,
        alpha=headers.alpha,
        sixteen_bit=headers.deep,
    )


def _spread(values: np.ndarray) -> Spread:
    numbers = (np.min, np.median, np.mean, np.max)
    return Spread(*(float(of(values)) for of in numbers if values.size))


def _bins(values: np.ndarray, edges: tuple[float, ...]) -> tuple[Bin, ...]:
    counts = np.bincount(np.digitize(values, edges) - 1, minlength=len(edges))
    return tuple(
        Bin(low, high, int(count))
        for low, high, count in zip(edges, (*edges[1:], None), counts, strict=True)
    )
