"""Operations that look up numbers or order them, as ONNX nodes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxvision.inference.onnx_graph.elementwise import Handler
from jaxvision.inference.onnx_graph.graph import Graph, Value
from jaxvision.inference.onnx_graph.shapes import dtype_of
from jaxvision.inference.onnx_graph.shaping import (
    all_in_program_order,
    cut,
    in_program_order,
    shape_of,
    squeezed,
)


def _gather(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    """Looks up slices; indices must be inside, as those of `top_k` and `argmax` are.

    Raises:
        ValueError: If the slices are not whole along the other axes.
    """
    x = graph.full(values[0], shape_of(equation.invars[0]))
    index = graph.full(values[1], shape_of(equation.invars[1]))
    numbers, sizes = equation.params["dimension_numbers"], equation.params["slice_sizes"]
    taken, batched = tuple(numbers.start_index_map), tuple(numbers.operand_batching_dims)
    if index.constant is not None and index.constant.ndim == 1 and not batched:
        return _at_known_place(graph, equation, x, index.constant)
    rest = [i for i in range(len(x.shape)) if i not in taken and i not in batched]
    # A length of the batch's is compared with the size that stands for it.
    whole = all(size == length for size, length in _lengths(equation, sizes, rest))
    dropped = set(numbers.collapsed_slice_dims) | set(batched)
    if not whole or dropped != {*taken, *batched}:
        raise ValueError("ONNX export knows no lookup of parts of slices")
    index_batch = tuple(numbers.start_indices_batching_dims)
    last = len(index.shape) - 1
    index_rest = [i for i in range(last) if i not in index_batch]
    names = [
        graph.in_order(x, (*batched, *taken, *rest)),
        _as_int64(graph, index, (*index_batch, *index_rest, last)),
    ]
    name = graph.add("GatherND", names, batch_dims=len(batched))
    (output,) = equation.outvars
    # The program has the slices' axes at `offset_dims`, and the indices' axes in their order.
    spread = [i for i in range(len(shape_of(output))) if i not in numbers.offset_dims]
    order = [spread[i] for i in (*index_batch, *index_rest)] + list(numbers.offset_dims)
    return [Value(name, shape_of(output), tuple(order), dtype_of(output))]


def _lengths(equation: Any, sizes: Sequence[Any], axes: Sequence[int]) -> list[tuple[Any, Any]]:
    shape = equation.invars[0].aval.shape
    return [(sizes[axis], shape[axis]) for axis in axes]


def _as_int64(graph: Graph, index: Value, order: Sequence[int]) -> str:
    import onnx

    if index.constant is not None:
        return graph.initializer(index.constant.astype(np.int64).transpose(tuple(order)))
    return graph.add("Cast", [graph.in_order(index, order)], to=onnx.TensorProto.INT64)


def _at_known_place(graph: Graph, equation: Any, x: Value, index: np.ndarray) -> list[Value]:
    numbers, sizes = equation.params["dimension_numbers"], equation.params["slice_sizes"]
    (output,) = equation.outvars
    starts, stops, shape = [0] * len(sizes), [0] * len(sizes), list(x.shape)
    for start, axis in zip(index, numbers.start_index_map, strict=True):
        length = x.shape[axis]
        if not isinstance(length, int):
            raise ValueError("ONNX export knows no lookup of single examples of a batch")
        starts[axis] = int(np.clip(start, 0, length - sizes[axis]))
        stops[axis] = starts[axis] + sizes[axis]
        shape[axis] = sizes[axis]
    part = cut(graph, x, starts, stops, tuple(shape))
    return [squeezed(graph, part, numbers.collapsed_slice_dims, output)]


def _best(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    """Finds the k largest of the last axis; among equal ones the first are better."""
    import onnx

    count, axis = equation.params["k"], equation.params.get("axis", -1)
    name = graph.plain(values[0], shape_of(equation.invars[0]))
    found, places = graph.add("TopK", [name, graph.integers([count])], outputs=2, axis=axis)
    best, index = equation.outvars
    target = onnx.helper.np_dtype_to_tensor_dtype(dtype_of(index))
    places = graph.add("Cast", [places], to=target)
    return [*in_program_order(found, best), *in_program_order(places, index)]


def _sort(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    """Sorts the first operand from the smallest on, and the others with it."""
    params = equation.params
    axis = params["dimension"]
    shape = shape_of(equation.outvars[0])
    length = shape[axis]
    if params["num_keys"] != 1 or not isinstance(length, int):
        raise ValueError("ONNX export sorts by one key alone")
    names = [graph.plain(x, shape_of(v)) for x, v in zip(values, equation.invars, strict=True)]
    first, places = graph.add(
        "TopK", [names[0], graph.integers([length])], outputs=2, axis=axis, largest=0
    )
    sorted_ = [first, *(graph.add("GatherElements", [x, places], axis=axis) for x in names[1:])]
    return all_in_program_order(sorted_, equation.outvars)


HANDLERS: dict[str, Handler] = {"gather": _gather, "top_k": _best, "sort": _sort}
