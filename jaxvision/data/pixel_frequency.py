"""Weights of classes by the pixels that show them.

Eigen and Fergus 2014, https://arxiv.org/abs/1411.4734, section 6.3.2, as SegNet uses it: the median
of the classes' frequencies over the frequency of each, where a frequency is a class's share of the
pixels of the images that show it.
"""

from typing import NamedTuple

import numpy as np

from jaxvision.data.sample import VOID
from jaxvision.data.source import Source

RULES = ("median_frequency", "sqrt_median_frequency")


class PixelCounts(NamedTuple):
    """Pixels of a dataset.

    Attributes:
        by_class: Of each class [K] int64.
        in_images: Of the images that show it, void excluded [K] int64.
        images: Number of images that show it [K] int64.
        void: Pixels without a class.
    """

    by_class: np.ndarray
    in_images: np.ndarray
    images: np.ndarray
    void: int


def pixel_counts(source: Source) -> PixelCounts:
    """Counts the pixels of all label maps of a dataset, each of which is read."""
    classes = len(source.classes)
    by_class, in_images, images = (np.zeros(classes, np.int64) for _ in range(3))
    void = 0
    for index in range(len(source)):
        label_map = _label_map(source, index)
        counts = np.bincount(label_map.ravel(), minlength=256)
        void += int(counts[VOID])
        counts = counts[:classes]
        by_class += counts
        in_images += np.where(counts > 0, counts.sum(), 0)
        images += counts > 0
    return PixelCounts(by_class, in_images, images, void)


def frequency_weights(source: Source, rule: str) -> np.ndarray:
    """Weighs classes by how few pixels they have.

    Args:
        source: Of samples with a label map.
        rule: `median_frequency`, or `sqrt_median_frequency`, its square root.

    Returns:
        Weights [K] float64; 1 for a class that no image shows.

    Raises:
        ValueError: If there is no such rule.
    """
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)}, got {rule}")
    weights = median_frequency(pixel_counts(source))
    return np.sqrt(weights) if rule.startswith("sqrt") else weights


def median_frequency(counts: PixelCounts) -> np.ndarray:
    """Returns the median of the classes' frequencies over that of each [K] float64.

    Classes without a pixel have no part in it; their weight is 1.
    """
    present = counts.by_class > 0
    frequency = counts.by_class[present] / counts.in_images[present]
    weights = np.ones(len(present))
    if present.any():
        weights[present] = np.median(frequency) / frequency
    return weights


def _label_map(source: Source, index: int) -> np.ndarray:
    read = getattr(source, "label_map", None)
    found = source[index].mask if read is None else read(index)
    if found is None:
        raise ValueError(f"{source.name(index)} has no label map; use a segmentation dataset")
    return found
