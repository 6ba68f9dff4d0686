"""Position embeddings of a grid: interpolation to another grid, and fixed sines and cosines."""

import jax
import jax.numpy as jnp
import numpy as np


def resize_position_embedding(
    embedding: jax.Array, grid: tuple[int, int], new_grid: tuple[int, int]
) -> jax.Array:
    """Interpolates learned embeddings of the positions of a grid to another grid.

    Bicubic (Keys, a = -0.5) between pixel centres, antialiased where the new grid is coarser, as
    timm does with PyTorch's `interpolate(mode="bicubic", antialias=True)`. With an equal grid the
    embedding is returned unchanged.

    Args:
        embedding: [1, P + rows * columns, D]; the P embeddings before the grid's, such as the class
            token's, are kept.
        grid: Rows and columns of the embedding's grid.
        new_grid: Rows and columns to interpolate to.

    Returns:
        Embedding [1, P + new rows * new columns, D].

    Raises:
        ValueError: If the embedding has fewer positions than the grid.
    """
    rows, columns = grid
    before = embedding.shape[1] - rows * columns
    if before < 0:
        raise ValueError(
            f"expected at least {rows * columns} positions of a grid of {rows} x {columns}, "
            f"got {embedding.shape[1]}"
        )
    if tuple(grid) == tuple(new_grid):
        return embedding
    features = embedding.shape[2]
    resized = jax.image.resize(
        embedding[:, before:].reshape(1, rows, columns, features),
        (1, *new_grid, features),
        "bicubic",
        antialias=True,
    )
    return jnp.concatenate([embedding[:, :before], resized.reshape(1, -1, features)], axis=1)


def sincos_position_embedding(rows: int, columns: int, features: int) -> np.ndarray:
    """Builds fixed embeddings of the positions of a grid from sines and cosines of x and y.

    The layout of MoCo v3 (Chen et al. 2021, https://arxiv.org/abs/2104.02057) and big_vision:
    sin(x w), cos(x w), sin(y w), cos(y w), a quarter of the features each, where w falls
    geometrically from 1 to 1 / 10000.

    Args:
        rows: Rows of the grid, numbered by y from the top.
        columns: Columns of the grid, numbered by x from the left.
        features: D, a multiple of 4 and at least 8.

    Returns:
        Embeddings [1, rows * columns, D], float32, rows first.

    Raises:
        ValueError: If D is not.
    """
    if features % 4 or features < 8:
        raise ValueError(f"features must be a multiple of 4 and at least 8, got {features}")
    omega = 10_000.0 ** -(np.arange(features // 4) / (features // 4 - 1))
    y, x = np.mgrid[:rows, :columns].reshape(2, -1, 1) * omega[None, None]
    waves = np.concatenate([np.sin(x), np.cos(x), np.sin(y), np.cos(y)], axis=1)
    return waves[None].astype(np.float32)
