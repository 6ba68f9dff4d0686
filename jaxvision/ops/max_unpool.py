"""Max pooling that remembers where each maximum was, and its inverse.

Visualizing and Understanding Convolutional Networks, Zeiler and Fergus 2013,
https://arxiv.org/abs/1311.2901, section 2.1 ("switches"). Equal to PyTorch's `max_pool2d` with
`return_indices` and `max_unpool2d` for windows that do not overlap: of several equal maxima the
first one counts, rows first, and so it alone gets the gradient.

Both are comparisons of whole maps, one for each place in a window: no scatter, which is slow on
every kind of device.
"""

import jax
import jax.numpy as jnp


def max_pool_with_indices(
    x: jax.Array, window: int = 2, *, ceil_mode: bool = False
) -> tuple[jax.Array, jax.Array]:
    """Takes the maximum of each of the windows that tile a map.

    Args:
        x: Features [B, H, W, C].
        window: Side of the windows, and pixels between neighbouring ones.
        ceil_mode: Whether the last row and column of windows may extend past the edge; otherwise
            pixels that do not fill a window are dropped.

    Returns:
        Maxima [B, H / window, W / window, C], rounded down or up, and which pixel each comes from,
        row * W + column [same shape] int32.

    Raises:
        ValueError: If no window fits.
    """
    height, width = x.shape[1:3]
    rows, columns = (
        -(-side // window) if ceil_mode else side // window for side in (height, width)
    )
    if rows < 1 or columns < 1:
        raise ValueError(f"maps must be at least {window} x {window}, got {height} x {width}")
    below, right = rows * window - height, columns * window - width
    lowest = jnp.asarray(-jnp.inf, x.dtype)
    padded = jax.lax.pad(x, lowest, ((0, 0, 0), (0, below, 0), (0, right, 0), (0, 0, 0)))
    views = padded.reshape(x.shape[0], rows, window, columns, window, x.shape[-1])

    best = views[:, :, 0, :, 0]
    place = jnp.zeros(best.shape, jnp.int32)
    for number in range(1, window * window):
        value = views[:, :, number // window, :, number % window]
        better = value > best
        best = jnp.where(better, value, best)
        place = jnp.where(better, number, place)
    row = jnp.arange(rows)[None, :, None, None] * window + place // window
    column = jnp.arange(columns)[None, None, :, None] * window + place % window
    return best, row * width + column


def max_unpool(
    y: jax.Array, indices: jax.Array, size: tuple[int, int], window: int = 2
) -> jax.Array:
    """Puts each value back where the maximum of its window was; all other pixels become 0.

    Args:
        y: Features [B, H', W', C].
        indices: Of the same shape, from `max_pool_with_indices` with the same window.
        size: Height H and width W of the map that was pooled.
        window: Side of the windows.

    Returns:
        Features [B, H, W, C].

    Raises:
        ValueError: If the shapes are not those of a pooled map of that size.
    """
    height, width = size
    batch, rows, columns, channels = y.shape
    fits = all(
        n in (side // window, -(-side // window)) for n, side in ((rows, height), (columns, width))
    )
    if indices.shape != y.shape or not fits:
        raise ValueError(
            f"features and indices must be those of a map of {height} x {width} pixels pooled by "
            f"{window}, got {y.shape} and {indices.shape}"
        )
    row, column = indices // width, indices % width
    place = (row % window) * window + column % window
    zero = jnp.zeros((), y.dtype)
    spread = jnp.stack(
        [jnp.where(place == number, y, zero) for number in range(window * window)], axis=2
    ).reshape(batch, rows, window, window, columns, channels)
    # [B, H', row in the window, column in the window, W', C] to rows and columns.
    x = spread.transpose(0, 1, 2, 4, 3, 5).reshape(batch, rows * window, columns * window, channels)
    below, right = height - rows * window, width - columns * window
    return jax.lax.pad(x, zero, ((0, 0, 0), (0, below, 0), (0, right, 0), (0, 0, 0)))
