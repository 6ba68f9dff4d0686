"""Histograms of oriented gradients.

Histograms of Oriented Gradients for Human Detection, Dalal and Triggs 2005, sections 6.1 to 6.4:
unsigned gradients of the colour channel that has the strongest, nine orientations, cells, and
blocks of 2 x 2 cells normalised by L2 with clipping. Equal to `skimage.feature.hog`.
Departs from the paper, as that does: a pixel counts for its own cell and orientation alone.
"""

import jax
import jax.numpy as jnp
from einops import rearrange, reduce

BLOCK = 2
_EPSILON = 1e-5
_CLIP = 0.2


def gradients(images: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns magnitude and unsigned orientation in [0, pi) of each pixel [B, H, W]."""
    rows = jnp.pad(images[:, 2:] - images[:, :-2], ((0, 0), (1, 1), (0, 0), (0, 0)))
    columns = jnp.pad(images[:, :, 2:] - images[:, :, :-2], ((0, 0), (0, 0), (1, 1), (0, 0)))
    squares = rows**2 + columns**2
    # The root has no slope at 0, which is what grey areas have.
    magnitude = jnp.where(squares > 0, jnp.sqrt(jnp.where(squares > 0, squares, 1.0)), 0.0)
    strongest = magnitude.argmax(axis=-1)[..., None]
    rows, columns, magnitude = (
        jnp.take_along_axis(x, strongest, axis=-1)[..., 0] for x in (rows, columns, magnitude)
    )
    return magnitude, jnp.arctan2(rows, columns) % jnp.pi


def hog(images: jax.Array, *, cell: int = 8, orientations: int = 9) -> jax.Array:
    """Describes the blocks of images.

    Args:
        images: [B, H, W, C] float32; H and W are multiples of `cell`, at least two of them.
        cell: Pixels.
        orientations: Bins of a histogram, n.

    Returns:
        Blocks [B, H / cell - 1, W / cell - 1, 4 * n]: the cells of a block in rows.
    """
    magnitude, angle = gradients(images)
    bins = jnp.minimum((angle * orientations / jnp.pi).astype(jnp.int32), orientations - 1)
    votes = jax.nn.one_hot(bins, orientations) * magnitude[..., None]
    cells = reduce(votes, "b (h p) (w q) n -> b h w n", "mean", p=cell, q=cell)
    corners = [
        cells[:, y : cells.shape[1] - BLOCK + 1 + y, x : cells.shape[2] - BLOCK + 1 + x]
        for y in range(BLOCK)
        for x in range(BLOCK)
    ]
    blocks = rearrange(jnp.stack(corners, axis=3), "b h w k n -> b h w (k n)")
    return _normalised(jnp.minimum(_normalised(blocks), _CLIP))


def _normalised(blocks: jax.Array) -> jax.Array:
    return blocks / jnp.sqrt(jnp.square(blocks).sum(axis=-1, keepdims=True) + _EPSILON**2)
