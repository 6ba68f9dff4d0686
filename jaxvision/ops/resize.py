"""Resizing of feature maps and images."""

import jax
import jax.numpy as jnp


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
