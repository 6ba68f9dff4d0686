"""From a function of jax to an ONNX model.

The function is traced with a batch of any length, and each operation of the trace becomes one node
or a few. What does not depend on the input is computed here: decoded anchors, folded statistics,
resized position embeddings. Only operations that networks of this library use are known; another
one is an error that names it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.export
import numpy as np

from jaxvision.inference.onnx_graph import elementwise, indexing, products, shaping
from jaxvision.inference.onnx_graph.graph import OPSET, Graph, Value, constant, used
from jaxvision.inference.onnx_graph.loops import loop
from jaxvision.inference.onnx_graph.scans import scan
from jaxvision.inference.onnx_graph.shapes import BATCH, described, dims, dtype_of
from jaxvision.layers.platforms import plain_forms

_HANDLERS = elementwise.HANDLERS | shaping.HANDLERS | products.HANDLERS | indexing.HANDLERS
# Operations that hold a program which is computed in their place, and the names of it.
_CALLS = ("jaxpr", "call_jaxpr", "fun_jaxpr")
# Of the file's format: that of onnx 1.14, which runtimes of 2023 read.
_IR_VERSION = 9


def convert(
    function: Callable[[Any], Mapping[str, Any]],
    shape: Sequence[int],
    dtype: Any,
    *,
    name: str,
) -> Any:
    """Converts a function of one array to an ONNX model.

    Args:
        function: Maps an array to {output's name: array}.
        shape: Of the array without its first axis, which may have any length.
        dtype: Of the array.
        name: The input's.

    Returns:
        The `onnx.ModelProto`, checked for form, not for its numbers.

    Raises:
        ValueError: If the function has an operation that is not known here.
    """
    import onnx

    (batch,) = jax.export.symbolic_shape(BATCH)
    argument = jax.ShapeDtypeStruct((batch, *shape), dtype)
    with plain_forms():
        # A function of its own, since jax keeps traces by the function.
        closed, outputs = jax.make_jaxpr(lambda x: function(x), return_shape=True)(argument)
    graph = Graph(name)
    lengths = dims(argument.shape)
    given = Value(name, lengths, tuple(range(len(lengths))), np.dtype(dtype))
    found = run(graph, closed.jaxpr, [constant(x) for x in closed.consts], [given])
    names = jax.tree.leaves({key: key for key in outputs})
    for key, value, variable in zip(names, found, closed.jaxpr.outvars, strict=True):
        last = graph.plain(value, dims(variable.aval.shape))
        graph.nodes.append(onnx.helper.make_node("Identity", [last], [key], name=key))
    nodes = graph.pruned(names)
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            nodes,
            "jaxvision",
            [described(name, lengths, given.dtype)],
            [
                described(key, dims(variable.aval.shape), dtype_of(variable))
                for key, variable in zip(names, closed.jaxpr.outvars, strict=True)
            ],
            [
                onnx.numpy_helper.from_array(graph.initializers[key], key)
                for key in used(nodes, graph.initializers)
            ],
        ),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=_IR_VERSION,
        producer_name="jaxvision",
    )
    onnx.checker.check_model(model)
    return model


def run(
    graph: Graph, jaxpr: Any, constants: Sequence[Value], arguments: Sequence[Value]
) -> list[Value]:
    """Adds a program's nodes to a graph; returns its results."""
    known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*constants, *arguments], strict=True))

    def read(variable: Any) -> Value:
        if hasattr(variable, "val"):
            # A number of Python has no type of its own.
            return constant(np.asarray(variable.val, dtype_of(variable)))
        return known[variable]

    for equation in jaxpr.eqns:
        results = _equation(graph, equation, [read(variable) for variable in equation.invars])
        known.update(zip(equation.outvars, results, strict=True))
    return [read(variable) for variable in jaxpr.outvars]


def _equation(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    name = equation.primitive.name
    if name == "while":
        return loop(graph, equation, values, run)
    if name == "scan":
        return scan(graph, equation, values, run)
    inner = next((equation.params[key] for key in _CALLS if key in equation.params), None)
    if inner is not None and name not in _HANDLERS:
        constants = [constant(x) for x in getattr(inner, "consts", ())]
        return run(graph, getattr(inner, "jaxpr", inner), constants, values)
    # Broadcast constants stay small.
    if name not in ("broadcast_in_dim", "iota") and all(x.constant is not None for x in values):
        folded = _folded(equation, values)
        if folded is not None:
            return folded
    handler = _HANDLERS.get(name)
    if handler is None:
        raise ValueError(f"ONNX export does not know the operation {name} of this network")
    return handler(graph, equation, values)


def _folded(equation: Any, values: Sequence[Value]) -> list[Value] | None:
    """Computes what does not depend on the input; None if its shape depends on the batch."""
    shapes = [dims(v.aval.shape) for v in (*equation.invars, *equation.outvars)]
    if not all(isinstance(length, int) for shape in shapes for length in shape):
        return None
    arrays = [
        np.broadcast_to(np.asarray(x.constant), v.aval.shape).astype(v.aval.dtype)
        for x, v in zip(values, equation.invars, strict=True)
    ]
    found = equation.primitive.bind(*arrays, **equation.params)
    return [constant(x) for x in (found if equation.primitive.multiple_results else [found])]
