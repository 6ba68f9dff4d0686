"""Resizing of feature maps and images."""

import jax
import jax.numpy as jnp
import numpy as np


def upsample_nearest(x: jax.Array, factor: int = 2) -> jax.Array:
    """Repeats every pixel `factor` times along both axes: [B, H, W, C] to [B, f * H, f * W, C]."""
    batch, height, width, channels = x.shape
    x = jnp.broadcast_to(x[:, :, None, :, None], (batch, height, factor, width, factor, channels))
    return x.reshape(batch, height * factor, width * factor, channels)


def space_to_depth(x: jax.Array) -> jax.Array:
    """Moves each 2 x 2 patch of pixels into channels: [B, H, W, C] to [B, H / 2, W / 2, 4 * C].

    The four pixels come in the order of YOLOX's Focus: top left, bottom left, top right, bottom
    right.

    Args:
        x: Images [B, H, W, C] with even H and W.

    Raises:
        ValueError: If H or W is odd.
    """
    batch, height, width, channels = x.shape
    if height % 2 or width % 2:
        raise ValueError(f"height and width must be even, got {height} and {width}")
    x = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
    return x.transpose(0, 1, 3, 4, 2, 5).reshape(batch, height // 2, width // 2, 4 * channels)


def resize_bilinear(
    x: jax.Array, size: tuple[int, int], *, align_corners: bool = False
) -> jax.Array:
    """Interpolates maps bilinearly, without antialiasing, as PyTorch's `interpolate` does.

    Args:
        x: Features [B, H, W, C].
        size: Height and width of the result.
        align_corners: Whether the centres of the corner pixels stay where they are; otherwise the
            outer edges of the corner pixels do.

    Returns:
        Features [B, *size, C].
    """
    if x.shape[1:3] == tuple(size):
        return x
    for axis, side in ((1, size[0]), (2, size[1])):
        x = _interpolate(x, axis, side, align_corners)
    return x


def _interpolate(x: jax.Array, axis: int, side: int, align_corners: bool) -> jax.Array:
    """Interpolates along one axis: two neighbours for each position of the result."""
    count = x.shape[axis]
    position = np.arange(side, dtype=np.float64)
    if align_corners:
        position = position * ((count - 1) / max(side - 1, 1))
    else:
        position = np.maximum((position + 0.5) * (count / side) - 0.5, 0.0)
    low = np.minimum(position.astype(np.int32), count - 1)
    high = np.minimum(low + 1, count - 1)
    shape = [1] * x.ndim
    shape[axis] = side
    weight = jnp.asarray((position - low).reshape(shape), x.dtype)
    return jnp.take(x, low, axis) * (1 - weight) + jnp.take(x, high, axis) * weight


def pixel_shuffle(x: jax.Array, factor: int) -> jax.Array:
    """Moves channels into r x r pixels: [B, H, W, r * r * C] to [B, r * H, r * W, C].

    As PyTorch's `pixel_shuffle`: the r * r channels of a result's channel are neighbours, rows
    first. Shi et al. 2016, https://arxiv.org/abs/1609.05158, equation 4.

    Args:
        x: Features.
        factor: r.

    Raises:
        ValueError: If the channels are not a multiple of r * r.
    """
    batch, height, width, channels = x.shape
    if channels % factor**2:
        raise ValueError(f"channels must be a multiple of {factor**2}, got {channels}")
    x = x.reshape(batch, height, width, -1, factor, factor)
    return x.transpose(0, 1, 4, 2, 5, 3).reshape(batch, factor * height, factor * width, -1)
