"""Dense optical flow between frames, without parameters.

An Iterative Image Registration Technique, Lucas and Kanade 1981,
https://www.ijcai.org/Proceedings/81-2/Papers/017.pdf: one step at one scale, so that motions of
about a pixel are found and larger ones are taken for smaller.
"""

import jax
import jax.numpy as jnp


def optical_flow(frames: jax.Array, *, window: int = 9, ridge: float = 1e-3) -> jax.Array:
    """Computes by how far the content of each window moves from a frame to the next.

    Args:
        frames: Grey values [B, T, H, W], with a spread of about 1.
        window: Side of the square in pixels over which motion is taken to be one.
        ridge: Of the least squares, per pixel of the window: motion is 0 where nothing is seen.

    Returns:
        Motion in x and y, in pixels [B, T - 1, H, W, 2].
    """
    first, second = frames[:, :-1], frames[:, 1:]
    middle = (first + second) / 2
    by_y, by_x = jnp.gradient(middle, axis=(2, 3))
    by_time = second - first
    products = jnp.stack(
        [by_x * by_x, by_x * by_y, by_y * by_y, by_x * by_time, by_y * by_time], axis=-1
    )
    side = (1, 1, window, window, 1)
    sums = jax.lax.reduce_window(products, 0.0, jax.lax.add, side, (1,) * 5, "SAME")
    xx, xy, yy, xt, yt = jnp.moveaxis(sums / window**2, -1, 0)
    xx, yy = xx + ridge, yy + ridge
    determinant = xx * yy - xy * xy
    x = (xy * yt - yy * xt) / determinant
    y = (xy * xt - xx * yt) / determinant
    return jnp.stack([x, y], axis=-1)
