"""Convolutions, matrix products, pooling and reductions, as ONNX nodes."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxvision.inference.onnx_graph.elementwise import Handler
from jaxvision.inference.onnx_graph.graph import Graph, Value, constant
from jaxvision.inference.onnx_graph.shapes import dtype_of
from jaxvision.inference.onnx_graph.shaping import in_program_order, shape_of, without

_CHANNELS_FIRST = (0, 3, 1, 2)


def _convolution(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    x, kernel = values
    params = equation.params
    numbers = params["dimension_numbers"]
    if params["batch_group_count"] != 1:
        raise ValueError("ONNX export knows no convolution in groups of the batch")
    if any(d != 1 for d in params["lhs_dilation"]):
        return _transposed(graph, equation, values)
    x = graph.full(x, shape_of(equation.invars[0]))
    kernel = graph.full(kernel, shape_of(equation.invars[1]))
    padding = params["padding"]
    name = graph.add(
        "Conv",
        [graph.in_order(x, numbers.lhs_spec), graph.in_order(kernel, numbers.rhs_spec)],
        strides=list(params["window_strides"]),
        pads=[low for low, _ in padding] + [high for _, high in padding],
        dilations=list(params["rhs_dilation"]),
        group=params["feature_group_count"],
        kernel_shape=[kernel.shape[axis] for axis in numbers.rhs_spec[2:]],
    )
    (output,) = equation.outvars
    return [Value(name, shape_of(output), tuple(numbers.out_spec), dtype_of(output))]


def _transposed(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    """Writes a convolution of a map with zeros between its pixels."""
    x, kernel = values
    params = equation.params
    numbers = params["dimension_numbers"]
    others = (*params["window_strides"], *params["rhs_dilation"], params["feature_group_count"])
    if kernel.constant is None or any(number != 1 for number in others):
        raise ValueError("ONNX export knows no such transposed convolution")
    x = graph.full(x, shape_of(equation.invars[0]))
    kernel = graph.full(kernel, shape_of(equation.invars[1]))
    weights, features = numbers.rhs_spec[2:], numbers.rhs_spec[:2]
    turned = constant(np.flip(np.asarray(kernel.constant), tuple(weights)))
    sides = [turned.shape[axis] for axis in weights]
    # What is cut off from the map that all kernels reach.
    cut = [
        [side - 1 - pad[i] for side, pad in zip(sides, params["padding"], strict=True)]  # pyright: ignore
        for i in (0, 1)
    ]
    if min(cut[0]) < 0:
        raise ValueError("ONNX export knows no such padding of a transposed convolution")
    name = graph.add(
        "ConvTranspose",
        [graph.in_order(x, numbers.lhs_spec), graph.in_order(turned, (*features[::-1], *weights))],
        strides=list(params["lhs_dilation"]),
        pads=[*cut[0], *(max(0, least) for least in cut[1])],
        output_padding=[max(0, -least) for least in cut[1]],
        kernel_shape=sides,
    )
    (output,) = equation.outvars
    return [Value(name, shape_of(output), tuple(numbers.out_spec), dtype_of(output))]


def _product(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    left, right = values
    (contracted, batched) = equation.params["dimension_numbers"]
    (left_axes, right_axes), (left_batch, right_batch) = contracted, batched
    left = graph.full(left, shape_of(equation.invars[0]))
    right = graph.full(right, shape_of(equation.invars[1]))
    (output,) = equation.outvars
    left_free = _rest(left, left_axes, left_batch)
    right_free = _rest(right, right_axes, right_batch)
    if len(left_axes) == 1 and len(right_free) == 1 and (len(left_free) == 1 or not left_batch):
        # Axes in front of the last two are those of the batch in a MatMul.
        names = [
            graph.in_order(left, (*left_batch, *left_free, *left_axes)),
            graph.in_order(right, (*right_batch, *right_axes, *right_free)),
        ]
        return in_program_order(graph.add("MatMul", names), output)
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    of_left = {axis: next(letters) for axis in range(len(left.shape))}
    shared = zip((*left_batch, *left_axes), (*right_batch, *right_axes), strict=True)
    of_right = {theirs: of_left[ours] for ours, theirs in shared}
    of_right |= {axis: next(letters) for axis in right_free}
    names = [graph.in_order(x, range(len(x.shape))) for x in (left, right)]
    inputs = ("".join(of[i] for i in range(len(of))) for of in (of_left, of_right))
    found = [of_left[i] for i in (*left_batch, *left_free)] + [of_right[i] for i in right_free]
    name = graph.add("Einsum", names, equation=f"{','.join(inputs)}->{''.join(found)}")
    return in_program_order(name, output)


def _rest(x: Value, *without: Sequence[int]) -> list[int]:
    taken = {axis for axes in without for axis in axes}
    return [axis for axis in range(len(x.shape)) if axis not in taken]


def _pool(kind: str, graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    params = equation.params
    window, strides, padding = (
        params[name] for name in ("window_dimensions", "window_strides", "padding")
    )
    plain = all(
        d == 1 for name in ("base_dilation", "window_dilation") for d in params.get(name) or ()
    )
    if len(window) != 4 or window[0] != 1 or window[3] != 1 or not plain:
        raise ValueError(f"ONNX export knows no windows of {list(window)}")
    x = graph.full(values[0], shape_of(equation.invars[0]))
    more = {"count_include_pad": 1} if kind == "AveragePool" else {}
    name = graph.add(
        kind,
        [graph.in_order(x, _CHANNELS_FIRST)],
        kernel_shape=list(window[1:3]),
        strides=list(strides[1:3]),
        pads=[padding[i][j] for j in (0, 1) for i in (1, 2)],
        **more,
    )
    if kind == "AveragePool":  # of a sum
        area = graph.initializer(np.asarray(math.prod(window), x.dtype))
        name = graph.add("Mul", [name, area])
    (output,) = equation.outvars
    return [Value(name, shape_of(output), _CHANNELS_FIRST, dtype_of(output))]


def _reduce(kind: str, graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    (output,) = equation.outvars
    axes = tuple(equation.params["axes"])
    x = graph.full(values[0], shape_of(equation.invars[0]))
    source = graph.in_order(x, x.order)
    boolean = x.dtype == bool
    if boolean:
        import onnx

        source = graph.add("Cast", [source], to=onnx.TensorProto.INT32)
    places = tuple(x.order.index(axis) for axis in axes)
    name = graph.add(kind, [source, graph.integers(places)], keepdims=0)
    lengths = [x.shape[axis] for axis in axes]
    if kind == "ReduceSum" and all(isinstance(n, int) for n in lengths):
        terms = math.prod(n for n in lengths if isinstance(n, int))
        graph.means[name] = source, places, terms
    if boolean:
        name = graph.add("Cast", [name], to=onnx.TensorProto.BOOL)
    return [Value(name, shape_of(output), without(x.order, axes), dtype_of(output))]


def _place(kind: str, graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    """Finds the first of the largest or smallest."""
    import onnx

    (output,) = equation.outvars
    (axis,) = equation.params["axes"]
    name = graph.plain(values[0], shape_of(equation.invars[0]))
    name = graph.add(kind, [name], axis=axis, keepdims=0)
    target = onnx.helper.np_dtype_to_tensor_dtype(dtype_of(output))
    return in_program_order(graph.add("Cast", [name], to=target), output)


def _running_sum(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    (output,) = equation.outvars
    name = graph.plain(values[0], shape_of(output))
    axis = graph.initializer(np.asarray(equation.params["axis"], np.int64))
    reverse = int(equation.params["reverse"])
    return in_program_order(graph.add("CumSum", [name, axis], reverse=reverse), output)


_REDUCTIONS = {
    "reduce_sum": "ReduceSum",
    "reduce_max": "ReduceMax",
    "reduce_min": "ReduceMin",
    "reduce_prod": "ReduceProd",
    "reduce_or": "ReduceMax",
    "reduce_and": "ReduceMin",
}
HANDLERS: dict[str, Handler] = {
    **{name: functools.partial(_reduce, kind) for name, kind in _REDUCTIONS.items()},
    "conv_general_dilated": _convolution,
    "dot_general": _product,
    "reduce_window_max": functools.partial(_pool, "MaxPool"),
    "reduce_window_sum": functools.partial(_pool, "AveragePool"),
    "argmax": functools.partial(_place, "ArgMax"),
    "argmin": functools.partial(_place, "ArgMin"),
    "cumsum": _running_sum,
}
