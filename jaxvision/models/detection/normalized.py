"""What every detector does to its images first."""

import jax
import jax.numpy as jnp

# Of a channel, red first.
Channels = tuple[float, float, float]


def normalized(
    images: jax.Array, mean: Channels, std: Channels, *, multiple: int = 32
) -> jax.Array:
    """Subtracts a mean from the channels of images [B, H, W, 3] and divides by a deviation.

    Raises:
        ValueError: If H or W is not a multiple of `multiple`, the coarsest stride of the network.
    """
    for side in images.shape[1:3]:
        if side % multiple:
            raise ValueError(f"image_size must be a multiple of {multiple}, got {side}")
    shift, scale = (jnp.asarray(x)[None, None, None] for x in (mean, std))
    return (images.astype(jnp.float32) - shift) / scale
