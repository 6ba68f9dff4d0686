"""Local response normalisation across channels.

Krizhevsky et al. 2012, ImageNet Classification with Deep Convolutional Neural Networks,
https://papers.nips.cc/paper/4824, section 3.3.
"""

import jax
import jax.numpy as jnp


def local_response_norm(
    x: jax.Array, *, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0
) -> jax.Array:
    """Divides each value by (k + alpha * sum of squares over nearby channels) ** beta.

    The sum is the paper's; Caffe and PyTorch take a mean over the window, so their alpha is
    `size` times this one.

    Args:
        x: Features [B, H, W, C].
        size: Channels of a window centred on each channel, odd; fewer at both ends.
        alpha: Weight of the sum.
        beta: Exponent.
        k: Added to the weighted sum.

    Returns:
        Features [B, H, W, C].

    Raises:
        ValueError: If the size is even.
    """
    if size % 2 == 0:
        raise ValueError(f"size must be odd, got {size}")
    values = x.astype(jnp.float32)
    reach = size // 2
    padded = jnp.pad(jnp.square(values), ((0, 0), (0, 0), (0, 0), (reach, reach)))
    # Shifted sums: a reduce_window over the minor axis is far slower.
    total = sum(padded[..., i : i + x.shape[-1]] for i in range(size))
    return (values * (k + alpha * total) ** -beta).astype(x.dtype)
