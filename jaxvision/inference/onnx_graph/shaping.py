"""Operations that move numbers without changing them, as ONNX nodes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxvision.inference.onnx_graph.elementwise import Handler
from jaxvision.inference.onnx_graph.graph import Graph, Shape, Value, constant, inverse
from jaxvision.inference.onnx_graph.shapes import dims, dtype_of


def shape_of(variable: Any) -> Shape:
    """Returns the shape that a variable has in the program."""
    return dims(variable.aval.shape)


def in_program_order(name: str, variable: Any) -> list[Value]:
    """Returns the result of a node whose axes are in the program's order."""
    shape = shape_of(variable)
    return [Value(name, shape, tuple(range(len(shape))), dtype_of(variable))]


def all_in_program_order(names: Sequence[str], variables: Sequence[Any]) -> list[Value]:
    """Returns the results of a node with several outputs."""
    pairs = zip(names, variables, strict=True)
    return [value for name, variable in pairs for value in in_program_order(name, variable)]


def _broadcast(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    """Adds axes of length 1; what needs them longer repeats them."""
    (x, *_) = values
    target = dims(equation.params["shape"])
    places = equation.params["broadcast_dimensions"]
    shape: list[Any] = [1] * len(target)
    for axis, place in enumerate(places):
        shape[place] = x.shape[axis]
    if x.constant is not None:
        return [constant(x.constant.reshape(shape))]
    if len(places) == len(target):
        return [x]
    name = graph.in_order(x, range(len(x.shape)))
    added = [axis for axis in range(len(target)) if axis not in places]
    name = graph.add("Unsqueeze", [name, graph.integers(added)])
    return [Value(name, tuple(shape), tuple(range(len(shape))), x.dtype)]


def _reshape(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    (x, *_) = values
    (output,) = equation.outvars
    name = graph.plain(x, shape_of(equation.invars[0]))
    return in_program_order(graph.add("Reshape", [name, graph.target(shape_of(output))]), output)


def _transpose(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    (x,) = values
    permutation = equation.params["permutation"]
    back = inverse(permutation)
    return [
        Value(
            x.name if x.constant is None else graph.in_order(x, x.order),
            tuple(x.shape[axis] for axis in permutation),
            tuple(back[axis] for axis in x.order),
            x.dtype,
        )
    ]


def _squeeze(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    x = graph.full(values[0], shape_of(equation.invars[0]))
    return [squeezed(graph, x, equation.params["dimensions"], equation.outvars[0])]


def squeezed(graph: Graph, x: Value, axes: Sequence[int], output: Any) -> Value:
    """Drops axes of length 1 of a full value."""
    if not axes:
        return x
    places = graph.integers([x.order.index(axis) for axis in axes])
    name = graph.add("Squeeze", [graph.in_order(x, x.order), places])
    order = without(x.order, axes)
    return Value(name, shape_of(output), order, dtype_of(output))


def without(order: Sequence[int], axes: Sequence[int]) -> tuple[int, ...]:
    """Returns an order of axes after some of them are dropped and the others are counted anew."""
    kept = [axis for axis in range(len(order)) if axis not in axes]
    return tuple(kept.index(axis) for axis in order if axis in kept)


def _concatenate(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    (output,) = equation.outvars
    full = [
        graph.full(x, shape_of(variable))
        for x, variable in zip(values, equation.invars, strict=True)
    ]
    order = next((x.order for x in full if not x.ordered), full[0].order)
    names = [graph.in_order(x, order) for x in full]
    axis = order.index(equation.params["dimension"])
    name = graph.add("Concat", names, axis=axis)
    return [Value(name, shape_of(output), order, dtype_of(output))]


def _stack(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    axis = equation.params["axis"]
    places = graph.integers([axis])
    names = [
        graph.add("Unsqueeze", [graph.plain(x, shape_of(variable)), places])
        for x, variable in zip(values, equation.invars, strict=True)
    ]
    return in_program_order(graph.add("Concat", names, axis=axis), equation.outvars[0])


def _unstack(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    x = graph.full(values[0], shape_of(equation.invars[0]))
    axis = equation.params["axis"]
    found = []
    for place, variable in enumerate(equation.outvars):
        starts = [place if i == axis else 0 for i in range(len(x.shape))]
        shape: Shape = tuple(1 if i == axis else n for i, n in enumerate(x.shape))
        part = cut(graph, x, starts, [start + 1 for start in starts], shape)
        found.append(squeezed(graph, part, [axis], variable))
    return found


def _tile(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    name = graph.plain(values[0], shape_of(equation.invars[0]))
    repeats = graph.lengths(dims(equation.params["reps"]))
    return in_program_order(graph.add("Tile", [name, repeats]), equation.outvars[0])


def _split(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    x = graph.full(values[0], shape_of(equation.invars[0]))
    sizes = equation.params["sizes"]
    name = graph.in_order(x, x.order)
    if len(sizes) == 1:
        return [x]
    names = graph.add(
        "Split",
        [name, graph.integers(sizes)],
        outputs=len(sizes),
        axis=x.order.index(equation.params["axis"]),
    )
    return [
        Value(part, shape_of(variable), x.order, x.dtype)
        for part, variable in zip(names, equation.outvars, strict=True)
    ]


def cut(
    graph: Graph,
    x: Value,
    starts: Sequence[int],
    stops: Sequence[int],
    shape: Shape,
    strides: Sequence[int] | None = None,
) -> Value:
    """Takes a part of a full value along the axes where its shape differs or a stride is not 1."""
    strides = strides or [1] * len(starts)
    axes = [i for i, step in enumerate(strides) if step != 1 or x.shape[i] != shape[i]]
    if not axes:
        return x
    vectors = (
        [starts[i] for i in axes],
        [stops[i] for i in axes],
        [x.order.index(i) for i in axes],
        [strides[i] for i in axes],
    )
    names = [graph.in_order(x, x.order), *(graph.integers(vector) for vector in vectors)]
    return Value(graph.add("Slice", names), shape, x.order, x.dtype)


def _slice(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    x = graph.full(values[0], shape_of(equation.invars[0]))
    params = equation.params
    shape = shape_of(equation.outvars[0])
    starts, stops = params["start_indices"], params["limit_indices"]
    return [cut(graph, x, starts, stops, shape, params["strides"])]


def _dynamic_slice(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    """Takes a part whose place is known."""
    x = graph.full(values[0], shape_of(equation.invars[0]))
    shape = shape_of(equation.outvars[0])
    starts = []
    for value, length, size in zip(values[1:], x.shape, shape, strict=True):
        if value.constant is None:
            raise ValueError("ONNX needs slices whose place does not depend on the input")
        same = length == size or not isinstance(length, int) or not isinstance(size, int)
        starts.append(0 if same else int(np.clip(value.constant, 0, length - size)))  # pyright: ignore
    stops = [
        start + (n if isinstance(n, int) else 0) for start, n in zip(starts, shape, strict=True)
    ]
    return [cut(graph, x, starts, stops, shape)]


def _pad(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    x, filling = values
    config = equation.params["padding_config"]
    shape = shape_of(equation.outvars[0])
    if any(inner for _, _, inner in config):
        raise ValueError("ONNX export knows no padding between numbers")
    x = graph.full(x, shape_of(equation.invars[0]))
    ordered = [config[axis] for axis in x.order]
    pads = [low for low, _, _ in ordered] + [high for _, high, _ in ordered]
    names = [graph.in_order(x, x.order), graph.integers(pads), graph.plain(filling, ())]
    # A negative number cuts off, in ONNX as well.
    return [Value(graph.add("Pad", names, mode="constant"), shape, x.order, x.dtype)]


def _reverse(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    x = graph.full(values[0], shape_of(equation.invars[0]))
    axes = [x.order.index(axis) for axis in equation.params["dimensions"]]
    vectors = ([-1] * len(axes), [np.iinfo(np.int64).min] * len(axes), axes, [-1] * len(axes))
    names = [graph.in_order(x, x.order), *(graph.integers(vector) for vector in vectors)]
    return [Value(graph.add("Slice", names), x.shape, x.order, x.dtype)]


def _iota(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    """Counts along an axis; the others are for those who need them."""
    shape = dims(equation.params["shape"])
    axis = equation.params["dimension"]
    length = shape[axis]
    if not isinstance(length, int):
        raise ValueError("ONNX export knows no numbers of the examples of a batch")
    numbers = np.arange(length, dtype=dtype_of(equation.outvars[0]))
    return [constant(numbers.reshape([-1 if i == axis else 1 for i in range(len(shape))]))]


HANDLERS: dict[str, Handler] = {
    "broadcast_in_dim": _broadcast,
    "reshape": _reshape,
    "expand_dims": _reshape,
    "transpose": _transpose,
    "squeeze": _squeeze,
    "concatenate": _concatenate,
    "stack": _stack,
    "unstack": _unstack,
    "tile": _tile,
    "split": _split,
    "slice": _slice,
    "dynamic_slice": _dynamic_slice,
    "pad": _pad,
    "rev": _reverse,
    "iota": _iota,
}
