"""ZCA whitening: pixels of images made uncorrelated, as close to the images as that allows.

The "Independent Components" of Natural Scenes are Edge Filters, Bell and Sejnowski 1997. Learning
Multiple Layers of Features from Tiny Images, Krizhevsky 2009, appendix A. The constant under the
root is that of Learning Feature Representations with K-means, Coates and Ng 2012, section 2.1.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np


class Whitening(NamedTuple):
    """An affine map of images of D values: (x - mean) @ matrix.

    Attributes:
        mean: Of each value [D] float32.
        matrix: Symmetric [D, D] float32.
    """

    mean: np.ndarray
    matrix: np.ndarray


def zca(batches: Iterable[np.ndarray], epsilon: float) -> Whitening:
    """Finds the whitening of images from their covariance, V diag(s) V^T.

    The matrix is V diag(1 / sqrt(s + epsilon)) V^T.

    Args:
        batches: Images [n, ...] of D values each, read once; n may differ.
        epsilon: Added to each variance, so that noise in directions of little variance is not
            blown up; above 0.

    Raises:
        ValueError: If there are fewer than two images, or a value is not finite.
    """
    count, total, products = 0, 0.0, 0.0
    for batch in batches:
        rows = np.asarray(batch, np.float32).reshape(len(batch), -1)
        if not np.isfinite(rows).all():
            raise ValueError("whitening needs finite values, got NaN or infinity")
        count += len(rows)
        total = total + rows.sum(axis=0, dtype=np.float64)
        products = products + (rows.T @ rows).astype(np.float64)
    if count < 2:
        raise ValueError(f"whitening needs at least 2 images, got {count}")
    mean = total / count
    covariance = products / count - np.outer(mean, mean)
    variances, directions = np.linalg.eigh(covariance.astype(np.float32))
    scale = 1 / np.sqrt(np.maximum(variances, 0) + epsilon)
    matrix = (directions * scale) @ directions.T
    return Whitening(np.asarray(mean, np.float32), matrix.astype(np.float32))
