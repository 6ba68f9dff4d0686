"""Weights of one shape made to fit another: a stem of other channels, positions of another size."""

import math

import jax.numpy as jnp
import numpy as np

from jaxvision.ops.position_embedding import resize_position_embedding

_RGB = 3


def adapted(path: str, weight: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """Makes a variable of another model fit, where there is a rule for it.

    The kernel of a stem on RGB images [H, W, 3, C] fits images of n channels: for grey ones it is
    summed, so that a grey image gives what the same image with three equal channels gave; for
    others it is repeated and scaled by 3 / n, as timm does. Embeddings of positions [1, T, D] are
    interpolated to another grid.

    Args:
        path: Path of the variable, `backbone/stem/conv/kernel`.
        weight: Its value in the other model.
        shape: The shape that it is to have.

    Returns:
        The value in the new shape; None if there is no rule.
    """
    name = path.rpartition("/")[2]
    old = np.shape(weight)
    if name == "kernel" and len(old) == 4 and old[2] == _RGB and _but(old, 2) == _but(shape, 2):
        return _channels(np.asarray(weight), shape[2])
    if name == "position_embedding" and len(old) == 3 and _but(old, 1) == _but(shape, 1):
        return _positions(np.asarray(weight), shape[1])
    return None


def _but(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :])


def _channels(kernel: np.ndarray, count: int) -> np.ndarray:
    """Returns a kernel [H, W, 3, C] for `count` input channels."""
    if count == 1:
        return kernel.sum(axis=2, keepdims=True)
    repeated = np.tile(kernel, (1, 1, -(-count // _RGB), 1))[:, :, :count]
    return (repeated * (_RGB / count)).astype(kernel.dtype)


def _positions(embedding: np.ndarray, count: int) -> np.ndarray | None:
    """Interpolates [1, T, D] to `count` positions, of squares with or without a class token."""
    for token in (1, 0):
        old, new = (math.isqrt(n - token) for n in (embedding.shape[1], count))
        if old**2 + token == embedding.shape[1] and new**2 + token == count:
            resized = resize_position_embedding(jnp.asarray(embedding), (old, old), (new, new))
            return np.asarray(resized)
    return None
