"""The convolution of this library: `lax.conv_general_dilated` with gradients fast on CPUs.

XLA's CPU backend computes the gradient of a kernel as a convolution whose filter is the size of the
map, after transposing both operands. As one matrix product for each tap of the kernel, over a
shifted view of the input, it is several times as fast. The gradient of the input of a strided
convolution is a convolution of maps spread out with zeros; computed for each parity of the input's
pixels apart, no zero is multiplied, which pays where channels are few. Forward, and on GPUs and
TPUs, nothing changes.

A convolution is linear in each operand. So its derivative is stated here as other forms of the same
linear maps, which jax transposes; derivatives of any order and forward mode follow by themselves.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import linen as nn
from jax.custom_derivatives import SymbolicZero

Pairs = tuple[tuple[int, int], tuple[int, int]]
_NHWC = ("NHWC", "HWIO", "NHWC")
_PARITY_CHANNELS = 32


def conv_general_dilated(
    lhs: jax.Array,
    rhs: jax.Array,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    precision: Any = None,
) -> jax.Array:
    """Computes `jax.lax.conv_general_dilated` of the same arguments.

    Args:
        lhs: Features, [B, H, W, C] where the gradients are to be fast.
        rhs: Kernel, [k, k, C, N] there.
        window_strides: Spatial strides.
        padding: Pixels before and after each spatial axis, or "SAME" or "VALID".
        lhs_dilation: Distance of the input's pixels; fast gradients are for 1.
        rhs_dilation: Distance of the kernel's taps; fast gradients are for 1.
        dimension_numbers: Order of the axes.
        feature_group_count: Groups; fast gradients are for 1.
        precision: Of the products.

    Returns:
        Features, [B, H', W', N] there.
    """
    numbers = jax.lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    if (
        lhs.ndim != 4
        or numbers != jax.lax.conv_dimension_numbers(lhs.shape, rhs.shape, _NHWC)
        or feature_group_count != 1
        or any(d != 1 for d in (*(lhs_dilation or ()), *(rhs_dilation or ())))
    ):
        return jax.lax.conv_general_dilated(
            lhs,
            rhs,
            window_strides,
            padding,
            lhs_dilation,
            rhs_dilation,
            numbers,
            feature_group_count,
            precision=precision,
        )
    if isinstance(padding, str):
        padding = jax.lax.padtype_to_pads(lhs.shape[1:3], rhs.shape[:2], window_strides, padding)
    (top, bottom), (left, right) = padding
    return _convolution(lhs, rhs, tuple(window_strides), ((top, bottom), (left, right)), precision)


class Conv(nn.Conv):
    """flax's convolution with the gradients of this file; for every convolution of a network."""

    conv_general_dilated: Any = conv_general_dilated


def _plain(
    x: jax.Array, kernel: jax.Array, strides: tuple[int, int], pads: Pairs, precision: Any
) -> jax.Array:
    return jax.lax.conv_general_dilated(
        x, kernel, strides, pads, dimension_numbers=_NHWC, precision=precision
    )


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3, 4))
def _convolution(
    x: jax.Array, kernel: jax.Array, strides: tuple[int, int], pads: Pairs, precision: Any
) -> jax.Array:
    form = _by_taps if kernel.shape[:2] == (1, 1) else _plain
    return _on_cpu(form, x, kernel, strides, pads, precision)


@functools.partial(_convolution.defjvp, symbolic_zeros=True)
def _derivative(
    strides: tuple[int, int],
    pads: Pairs,
    precision: Any,
    primals: tuple[jax.Array, jax.Array],
    tangents: tuple[jax.Array | SymbolicZero, jax.Array | SymbolicZero],
) -> tuple[jax.Array, jax.Array]:
    x, kernel = primals
    x_tangent, kernel_tangent = tangents
    options = (strides, pads, precision)
    terms = []
    if not isinstance(x_tangent, SymbolicZero):
        if kernel.shape[:2] == (1, 1):
            form = _by_taps
        else:
            form = _by_parity if _few_channels(kernel, strides) else _plain
        terms.append(_on_cpu(form, x_tangent, kernel, *options))
    if not isinstance(kernel_tangent, SymbolicZero):
        terms.append(_on_cpu(_by_taps, x, kernel_tangent, *options))
    return _convolution(x, kernel, *options), functools.reduce(jnp.add, terms)


def _on_cpu(
    form: Callable[..., jax.Array], x: jax.Array, kernel: jax.Array, *options: Any
) -> jax.Array:
    """Computes the convolution in this form on a CPU, and in the plain one elsewhere."""

    # Without the checkpoint, the views of the input would be made on the way forward and kept.
    @functools.partial(jax.checkpoint, prevent_cse=False)
    def on_cpu(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return form(x, kernel, *options)

    def elsewhere(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return _plain(x, kernel, *options)

    if form is _plain:
        return elsewhere(x, kernel)
    return jax.lax.platform_dependent(x, kernel, cpu=on_cpu, default=elsewhere)


def _few_channels(kernel: jax.Array, strides: tuple[int, int]) -> bool:
    height, width, channels, _ = kernel.shape
    return strides != (1, 1) and height > 1 and width > 1 and channels <= _PARITY_CHANNELS


def _by_taps(
    x: jax.Array, kernel: jax.Array, strides: tuple[int, int], pads: Pairs, precision: Any
) -> jax.Array:
    """Sums products of shifted inputs and taps, to be transposed by the kernel."""
    height, width, channels, features = kernel.shape
    rows, columns = _output_sides(x, kernel, strides, pads)
    x = _padded(x, pads)
    views = []
    for i in range(height):
        for j in range(width):
            stop = i + (rows - 1) * strides[0] + 1, j + (columns - 1) * strides[1] + 1
            view = jax.lax.slice(x, (0, i, j, 0), (x.shape[0], *stop, channels), (1, *strides, 1))
            views.append(view.reshape(-1, channels))
    taps = jax.lax.split(kernel.reshape(-1, features), [channels] * len(views))
    products = [
        jnp.matmul(view, tap, precision=precision) for view, tap in zip(views, taps, strict=True)
    ]
    return functools.reduce(jnp.add, products).reshape(x.shape[0], rows, columns, features)


def _by_parity(
    x: jax.Array, kernel: jax.Array, strides: tuple[int, int], pads: Pairs, precision: Any
) -> jax.Array:
    """Makes pixels that share a window's step channels, to be transposed by the input."""
    down, right = strides
    taps = -(-kernel.shape[0] // down), -(-kernel.shape[1] // right)
    rows, columns = _output_sides(x, kernel, strides, pads)
    # What no window reaches is cut off, and the last window padded to whole steps.
    height, width = (rows + taps[0] - 1) * down, (columns + taps[1] - 1) * right
    (top, _), (left, _) = pads
    x = _padded(x, ((top, height - top - x.shape[1]), (left, width - left - x.shape[2])))
    x = rearrange(x, "b (h i) (w j) c -> b h w (i j c)", i=down, j=right)
    missing = taps[0] * down - kernel.shape[0], taps[1] * right - kernel.shape[1]
    kernel = jnp.pad(kernel, ((0, missing[0]), (0, missing[1]), (0, 0), (0, 0)))
    kernel = rearrange(kernel, "(h i) (w j) c n -> h w (i j c) n", i=down, j=right)
    return _plain(x, kernel, (1, 1), ((0, 0), (0, 0)), precision)


def _padded(x: jax.Array, pads: Pairs) -> jax.Array:
    """Adds zeros around maps [B, H, W, C]; a negative number cuts off as many pixels."""
    config = ((0, 0, 0), (*pads[0], 0), (*pads[1], 0), (0, 0, 0))
    return jax.lax.pad(x, jnp.zeros((), x.dtype), config)


def _output_sides(
    x: jax.Array, kernel: jax.Array, strides: tuple[int, int], pads: Pairs
) -> tuple[int, int]:
    rows, columns = (
        (x.shape[1 + axis] + sum(pads[axis]) - kernel.shape[axis]) // strides[axis] + 1
        for axis in (0, 1)
    )
    return rows, columns
