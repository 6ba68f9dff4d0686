"""Maxima over windows, with a gradient that is fast on CPUs.

XLA's CPU backend finds the pixel that a window's gradient belongs to by comparing pairs of values
and positions, one after another. Here rows and columns take turns, and every step compares whole
maps. As in XLA, the first of several equal maxima gets the gradient, rows first.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.platforms import by_platform

Pads = tuple[tuple[int, int], tuple[int, int]]


def max_over_windows(
    x: jax.Array, window: tuple[int, int], strides: tuple[int, int], pads: Sequence[Sequence[int]]
) -> jax.Array:
    """Takes the maximum of each window.

    Args:
        x: Features [B, H, W, C].
        window: Its height and width.
        strides: Pixels between neighbouring windows.
        pads: Pixels before and after rows and columns, which are never the maximum.

    Returns:
        Features [B, (H + pads - window) / strides + 1, ..., C], rounded down.
    """
    (top, bottom), (left, right) = pads
    padding: Any = ((top, bottom), (left, right))  # flax annotates it as str

    def on_cpu(x: jax.Array) -> jax.Array:
        x = _max_along(x, 2, window[1], strides[1], (left, right))
        return _max_along(x, 1, window[0], strides[0], (top, bottom))

    def elsewhere(x: jax.Array) -> jax.Array:
        return nn.max_pool(x, window_shape=window, strides=strides, padding=padding)

    return by_platform(x, cpu=on_cpu, default=elsewhere)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2, 3, 4))
def _max_along(
    x: jax.Array, axis: int, window: int, stride: int, pads: tuple[int, int]
) -> jax.Array:
    """Takes maxima along one axis."""
    return functools.reduce(jnp.maximum, _views(x, axis, window, stride, pads, -jnp.inf))


@_max_along.defjvp
def _derivative(
    axis: int,
    window: int,
    stride: int,
    pads: tuple[int, int],
    primals: tuple[jax.Array],
    tangents: tuple[jax.Array],
) -> tuple[jax.Array, jax.Array]:
    (x,), (tangent,) = primals, tangents
    y = _max_along(x, axis, window, stride, pads)

    # Without the checkpoint, the comparisons would be made on the way forward and kept.
    @functools.partial(jax.checkpoint, prevent_cse=False)
    def of_first_maximum(x: jax.Array, tangent: jax.Array) -> jax.Array:
        # Not where a value equals y: XLA may compute x again for this, with other rounding.
        highest, *values = _views(x, axis, window, stride, pads, -jnp.inf)
        found, *moves = _views(tangent, axis, window, stride, pads, 0.0)
        for value, move in zip(values, moves, strict=True):
            found = jnp.where(value > highest, move, found)
            highest = jnp.maximum(value, highest)
        return found

    return y, of_first_maximum(x, tangent)


def _views(
    x: jax.Array, axis: int, window: int, stride: int, pads: tuple[int, int], fill: float
) -> list[jax.Array]:
    """Returns what each position of the windows sees, one value for every window."""
    count = (x.shape[axis] + sum(pads) - window) // stride + 1
    config = [(0, 0, 0)] * x.ndim
    config[axis] = (*pads, 0)
    x = jax.lax.pad(x, jnp.asarray(fill, x.dtype), config)
    return [
        jax.lax.slice_in_dim(x, i, i + (count - 1) * stride + 1, stride, axis)
        for i in range(window)
    ]
