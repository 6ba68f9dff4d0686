"""The convolution of this library: `lax.conv_general_dilated` with gradients fast on CPUs.

XLA's CPU backend computes the gradient of a kernel as a convolution whose filter is the size of the
map, after transposing both operands. As one matrix product for each tap of the kernel, over a
shifted view of the input, it takes half the time at 3 x 3, a fifth at 1 x 1. So do the gradient of
the input of a strided convolution, which is otherwise a convolution of maps spread out with zeros,
and all of a convolution at 1 x 1. The rest, as what GPUs and TPUs compute, is left to XLA.

A convolution is linear in each operand. So its derivative is stated here as other forms of the same
linear maps, which jax transposes; derivatives of any order and forward mode follow by themselves.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.custom_derivatives import SymbolicZero

from jaxvision.layers.platforms import by_platform

Pairs = tuple[tuple[int, int], tuple[int, int]]
# Maps (x, kernel, strides, pads, precision) to the convolution.
Form = Callable[..., jax.Array]
NHWC = ("NHWC", "HWIO", "NHWC")


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
        or numbers != jax.lax.conv_dimension_numbers(lhs.shape, rhs.shape, NHWC)
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


# Bytes of a view of an input beyond which views are made one after the other.
LARGE_VIEW = 32 << 20


def _plain(
    x: jax.Array, kernel: jax.Array, strides: tuple[int, int], pads: Pairs, precision: Any
) -> jax.Array:
    return jax.lax.conv_general_dilated(
        x, kernel, strides, pads, dimension_numbers=NHWC, precision=precision
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
        terms.append(_on_cpu(_form_for_input(kernel, strides), x_tangent, kernel, *options))
    if not isinstance(kernel_tangent, SymbolicZero):
        terms.append(_on_cpu(_form_for_kernel(x, kernel, *options), x, kernel_tangent, *options))
    return _convolution(x, kernel, *options), functools.reduce(jnp.add, terms)


def _form_for_input(kernel: jax.Array, strides: tuple[int, int]) -> Form:
    """Chooses what is transposed by the input; the limits are measured."""
    taps = kernel.shape[0] * kernel.shape[1]
    return _by_taps if taps == 1 or max(strides) > 1 and taps <= 9 else _plain


def _form_for_kernel(
    x: jax.Array, kernel: jax.Array, strides: tuple[int, int], pads: Pairs, precision: Any
) -> Form:
    """Chooses what is transposed by the kernel; the limits are measured."""
    height, width, channels, _ = kernel.shape
    taps = height * width
    if taps == 1:
        return _by_taps
    _, columns = _output_sides(x, kernel, strides, pads)
    if height <= 7 and channels <= 4 and columns % 4 == 0:
        return functools.partial(_by_blocks, columns=4)
    # XLA's convolution multiplies along the batch: well if it is large and the channels are few.
    if taps > 9 or max(strides) == 1 and x.shape[0] > 4 * channels:
        return _plain
    if channels <= 32 and strides[1] == 1 and columns % 2 == 0:
        return functools.partial(_by_blocks, columns=2)
    return _by_taps


def _on_cpu(form: Form, x: jax.Array, kernel: jax.Array, *options: Any) -> jax.Array:
    """Computes the convolution in this form on a CPU, and in the plain one elsewhere."""

    # Without the checkpoint, the views of the input would be made on the way forward and kept.
    @functools.partial(jax.checkpoint, prevent_cse=False)
    def on_cpu(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return form(x, kernel, *options)

    def elsewhere(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return _plain(x, kernel, *options)

    if form is _plain:
        return elsewhere(x, kernel)
    return by_platform(x, kernel, cpu=on_cpu, default=elsewhere)


def _by_taps(
    x: jax.Array, kernel: jax.Array, strides: tuple[int, int], pads: Pairs, precision: Any
) -> jax.Array:
    """Sums products of shifted inputs and taps, to be transposed by the kernel."""
    height, width, channels, features = kernel.shape
    rows, columns = _output_sides(x, kernel, strides, pads)
    x = _padded(x, pads)
    size = x.shape[0] * rows * columns * channels * x.dtype.itemsize
    if height * width > 1 and strides == (1, 1) and size > LARGE_VIEW:
        return _tap_after_tap(x, kernel, precision)
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


def _tap_after_tap(x: jax.Array, kernel: jax.Array, precision: Any) -> jax.Array:
    """Computes the same in a loop: one view of a large input at a time is in memory."""
    height, width, channels, features = kernel.shape
    rows, columns = x.shape[1] - height + 1, x.shape[2] - width + 1
    places = jnp.stack(jnp.divmod(jnp.arange(height * width), width), axis=1)

    def add(total: jax.Array, tap: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        (i, j), kernel = tap
        view = jax.lax.dynamic_slice(x, (0, i, j, 0), (x.shape[0], rows, columns, channels))
        product = jnp.matmul(view.reshape(-1, channels), kernel, precision=precision)
        return total + product.reshape(total.shape), None

    start = jnp.zeros((x.shape[0], rows, columns, features), jnp.result_type(x, kernel))
    taps = places, kernel.reshape(-1, channels, features)
    return jax.lax.scan(jax.checkpoint(add), start, taps)[0]


def _by_blocks(
    x: jax.Array,
    kernel: jax.Array,
    strides: tuple[int, int],
    pads: Pairs,
    precision: Any,
    *,
    columns: int,
) -> jax.Array:
    """Computes neighbouring columns of the output together, for products of more channels.

    The kernel of such a block is the kernel once for each of its columns, moved by the stride.
    """
    height, width, channels, features = kernel.shape
    rows, sides = _output_sides(x, kernel, strides, pads)
    step = columns * strides[1]
    seen = -(-(step + width - strides[1]) // step)  # blocks of the input
    across = (sides // columns + seen - 1) * step
    (left, _) = pads[1]
    x = _padded(x, (pads[0], (left, across - left - x.shape[2])))
    x = x.reshape(*x.shape[:2], -1, step * channels)
    moved = [
        jnp.pad(kernel, ((0, 0), (i, seen * step - width - i), (0, 0), (0, 0)))
        for i in range(0, step, strides[1])
    ]
    kernel = jnp.stack(moved, axis=3).reshape(height, seen, -1, columns * features)
    y = _by_taps(x, kernel, (strides[0], 1), ((0, 0), (0, 0)), precision)
    return y.reshape(x.shape[0], rows, sides, features)


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
