"""Weights against rare classes: of classes in a loss, and of images in a sampler.

Class-Balanced Loss Based on Effective Number of Samples, Cui et al. 2019,
https://arxiv.org/abs/1901.05555, equation 2. LVIS: A Dataset for Large Vocabulary Instance
Segmentation, Gupta et al. 2019, https://arxiv.org/abs/1908.03195, appendix B.2 (repeat factors).
"""

from typing import NamedTuple

import numpy as np

from jaxvision.data.source import Source

CLASS_RULES = ("inverse", "effective")
IMAGE_RULES = ("repeat", "inverse")


class Labels(NamedTuple):
    """Image and class [M] of each object that is trained on, or of each class of an image."""

    image: np.ndarray
    classes: np.ndarray


def labels(source: Source) -> Labels:
    """Gathers the classes of all images or objects; reads images only where a source must."""
    if source.labels is not None:
        if source.labels.ndim == 1:
            return Labels(np.arange(len(source)), source.labels)
        return Labels(*np.nonzero(source.labels))
    found = map(source.object_classes, range(len(source)))
    each = [classes[~crowd] for classes, crowd in found]
    counts = [len(classes) for classes in each]
    nothing = np.zeros(0, np.int32)
    return Labels(np.repeat(np.arange(len(each)), counts), np.concatenate([nothing, *each]))


def class_weights(source: Source, rule: str, *, beta: float = 0.9999) -> np.ndarray:
    """Weighs classes by how rare they are.

    Args:
        source: Its objects are counted, without crowds, or the classes of its images.
        rule: With n objects or images of a class, `inverse` weighs it by 1 / n, `effective` by
            (1 - beta) / (1 - beta^n): the same for all with beta = 0, nearly 1 / n while n is far
            below 1 / (1 - beta), and constant far above.
        beta: In [0, 1).

    Returns:
        Weights [K] float64, scaled so that their mean over the objects is 1: a loss averaged over
        objects keeps its size. 1 for classes without objects.

    Raises:
        ValueError: If the rule is unknown or beta out of its range.
    """
    if rule not in CLASS_RULES:
        raise ValueError(f"rule must be one of {', '.join(CLASS_RULES)}, got {rule}")
    if not 0 <= beta < 1:
        raise ValueError(f"beta must be in [0, 1), got {beta}")
    return _class_weights(labels(source).classes, source, rule, beta)


def image_weights(source: Source, rule: str = "repeat", *, threshold: float = 0.001) -> np.ndarray:
    """Weighs images by how rare their classes are, for a sampler.

    Args:
        source: As for `class_weights`.
        rule: `repeat` gives an image the largest repeat factor of its classes, max(1, sqrt(t / f))
            for a class that a share f of all images shows: an image is repeated for its rarest
            class, and common classes have no effect. `inverse` gives it the mean of the class
            weights 1 / n over its objects, scaled as `class_weights`.
        threshold: t, the share of images below which classes are repeated.

    Returns:
        Weights [I] float64, above 0, to be normalised by the sampler; 1 for images without objects.

    Raises:
        ValueError: If the rule is unknown or the threshold not in (0, 1].
    """
    if rule not in IMAGE_RULES:
        raise ValueError(f"rule must be one of {', '.join(IMAGE_RULES)}, got {rule}")
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be in (0, 1], got {threshold}")
    found, total = labels(source), len(source)
    weights = np.ones(total)
    if rule == "inverse":
        each = _class_weights(found.classes, source, "inverse", 0.0)[found.classes]
        counts = np.bincount(found.image, minlength=total)
        sums = np.bincount(found.image, each, minlength=total)
        return np.divide(sums, counts, out=weights, where=counts > 0)
    # Each image counts once for a class, however many objects of it there are.
    pairs = np.unique(found.image.astype(np.int64) * len(source.classes) + found.classes)
    image, classes = np.divmod(pairs, len(source.classes))
    share = np.bincount(classes, minlength=len(source.classes)) / total
    repeat = np.sqrt(np.maximum(1, threshold / np.maximum(share, 1 / total)))
    np.maximum.at(weights, image, repeat[classes])
    return weights


def _class_weights(classes: np.ndarray, source: Source, rule: str, beta: float) -> np.ndarray:
    counts = np.bincount(classes, minlength=len(source.classes))
    if not counts.any():
        return np.ones(len(counts))
    number = np.maximum(counts, 1)
    weights = (1 - beta) / (1 - beta**number) if rule == "effective" else 1 / number
    return np.where(counts, weights * counts.sum() / (counts * weights).sum(), 1.0)
