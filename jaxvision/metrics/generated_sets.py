"""How close a set of generated images is to a set of real ones, from features of both.

All in float64 on the host. With the features of Inception behind its last pooling they are the
published numbers; with those of another network they compare runs that used the same one.
"""

from typing import NamedTuple

import numpy as np


def frechet_distance(real: np.ndarray, generated: np.ndarray) -> float:
    """Computes the Fréchet distance of two Gaussians fitted to features: FID.

    Heusel et al. 2017, https://arxiv.org/abs/1706.08500, equation 6, with unbiased covariances.

    Args:
        real: Features [N, D], N at least 2.
        generated: Features [M, D], M at least 2.

    Raises:
        ValueError: If a set has fewer than two rows, or their features differ in length.
    """
    one, other = _pair(real, generated, 2)
    left, right = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    left, right = np.atleast_2d(left), np.atleast_2d(right)
    # The trace of the root of a product of two covariances is that of a symmetric matrix, whose
    # eigenvalues are real and at least 0, whatever their ranks.
    values, vectors = np.linalg.eigh(left)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))[None]) @ vectors.T
    inner = np.linalg.eigvalsh(root @ right @ root)
    shared = np.sqrt(np.maximum(inner, 0.0)).sum()
    means = np.square(one.mean(axis=0) - other.mean(axis=0)).sum()
    return float(means + np.trace(left) + np.trace(right) - 2 * shared)


def inception_score(probabilities: np.ndarray, splits: int = 10) -> float:
    """Computes exp of the mean divergence of each image's classes from those of all.

    Salimans et al. 2016, https://arxiv.org/abs/1606.03498, section 4; a mean over parts of the set.

    Args:
        probabilities: Of the classes [N, K]; rows sum to 1.
        splits: Number of parts, in order, that are scored by themselves.

    Raises:
        ValueError: If there are fewer rows than parts, or no part.
    """
    p = np.asarray(probabilities, np.float64)
    if not 1 <= splits <= len(p):
        raise ValueError(f"splits must be between 1 and the {len(p)} images, got {splits}")
    scores = []
    for part in np.array_split(p, splits):
        mean = part.mean(axis=0, keepdims=True)
        tiny = np.finfo(np.float64).tiny
        terms = part * (np.log(np.maximum(part, tiny)) - np.log(np.maximum(mean, tiny)))
        scores.append(np.exp(terms.sum(axis=1).mean()))
    return float(np.mean(scores))


class PrecisionRecall(NamedTuple):
    """How two sets cover each other.

    Attributes:
        precision: Share of the generated images that lie among real ones.
        recall: Share of the real images that lie among generated ones.
    """

    precision: float
    recall: float


def precision_recall(real: np.ndarray, generated: np.ndarray, k: int = 3) -> PrecisionRecall:
    """Computes improved precision and recall.

    Kynkäänniemi et al. 2019, https://arxiv.org/abs/1904.06991, equations 1 and 2: an image lies
    among a set if it is as near to one of it as that one's k-th neighbour in the set.

    Args:
        real: Features [N, D], N above k.
        generated: Features [M, D], M above k.
        k: Which neighbour.

    Raises:
        ValueError: If a set has too few rows, or their features differ in length.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    one, other = _pair(real, generated, k + 1)
    return PrecisionRecall(_covered(other, one, k), _covered(one, other, k))


def _covered(points: np.ndarray, among: np.ndarray, k: int) -> float:
    # The nearest neighbour of a point in its own set is itself.
    radii = np.partition(_squared_distances(among, among), k, axis=1)[:, k]
    inside = _squared_distances(points, among) <= radii[None] * (1 + 1e-9)
    return float(inside.any(axis=1).mean())


def _squared_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    squares = np.square(one).sum(axis=1)[:, None] + np.square(other).sum(axis=1)[None]
    return np.maximum(squares - 2 * one @ other.T, 0.0)


def _pair(real: np.ndarray, generated: np.ndarray, least: int) -> tuple[np.ndarray, np.ndarray]:
    one, other = np.asarray(real, np.float64), np.asarray(generated, np.float64)
    if one.ndim != 2 or other.ndim != 2 or one.shape[1] != other.shape[1]:
        raise ValueError(
            f"features must be [N, D] and [M, D], got shapes {one.shape} and {other.shape}"
        )
    if min(len(one), len(other)) < least:
        raise ValueError(
            f"each set must have at least {least} images, got {len(one)} and {len(other)}"
        )
    return one, other
