"""Bicubic resizing on the device, MATLAB's, as a product with a matrix along each axis."""

import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange

from jaxvision.data.imresize import resize_matrix
from jaxvision.layers.convolution import NHWC, conv_general_dilated


def enlarge_bicubic(x: jax.Array, factor: int) -> jax.Array:
    """Enlarges pictures [B, H, W, C] to [B, factor * H, factor * W, C] float32, not clipped."""
    height, width = x.shape[1:3]
    return _resized(x, (factor * height, factor * width), float(factor))


def shrink(
    x: jax.Array, factor: int, kernel: np.ndarray | None = None, *, direct: bool = False
) -> jax.Array:
    """Makes pictures small as `jaxvision.data.degradation.Degradation` does, without rounding.

    Args:
        x: Pictures [B, factor * H, factor * W, C].
        factor: How many pixels become one.
        kernel: Blurs them first [k, k].
        direct: Whether the value at the middle of each small pixel is taken, in place of bicubic
            downsizing.

    Returns:
        Pictures [B, H, W, C] float32.
    """
    x = x.astype(jnp.float32)
    if kernel is not None:
        x = _blurred(x, jnp.asarray(kernel, jnp.float32))
    if direct:
        return x[:, factor // 2 :: factor, factor // 2 :: factor]
    height, width = x.shape[1] // factor, x.shape[2] // factor
    return _resized(x, (height, width), 1 / factor)


def _resized(x: jax.Array, size: tuple[int, int], scale: float) -> jax.Array:
    rows, columns = (
        jnp.asarray(resize_matrix(x.shape[axis], side, scale), jnp.float32)
        for axis, side in zip((1, 2), size, strict=True)
    )
    precision = jax.lax.Precision.HIGHEST
    x = jnp.einsum("ih,bhwc->biwc", rows, x.astype(jnp.float32), precision=precision)
    return jnp.einsum("jw,biwc->bijc", columns, x, precision=precision)


def _blurred(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Correlates each channel with a kernel [k, k]; pictures are mirrored at their edges."""
    height, width = kernel.shape
    pads = ((0, 0), (height // 2, (height - 1) // 2), (width // 2, (width - 1) // 2), (0, 0))
    channels = rearrange(jnp.pad(x, pads, mode="symmetric"), "b h w c -> (b c) h w 1")
    found = conv_general_dilated(
        channels, kernel[:, :, None, None], (1, 1), "VALID", dimension_numbers=NHWC
    )
    return rearrange(found, "(b c) h w 1 -> b h w c", b=len(x))
