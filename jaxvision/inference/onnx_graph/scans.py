"""Loops over the rows of arrays, as those of recurrent layers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxvision.inference.onnx_graph.graph import Graph, Value, constant
from jaxvision.inference.onnx_graph.loops import Run
from jaxvision.inference.onnx_graph.shapes import described, dims, dtype_of


def scan(graph: Graph, equation: Any, values: Sequence[Value], run: Run) -> list[Value]:
    """Writes a `scan` as an ONNX Scan, whose body sees the constants from outside.

    Args:
        graph: Gets the node.
        equation: Of the loop.
        values: Its operands: constants of the body, what is carried, and arrays cut into rows.
        run: Writes a program.
    """
    import onnx

    params, program = equation.params, equation.params["jaxpr"]
    fixed, carried = params["num_consts"], params["num_carry"]
    given = [
        graph.plain(x, dims(variable.aval.shape))
        for x, variable in zip(values[fixed:], equation.invars[fixed:], strict=True)
    ]
    body = Graph(parent=graph)
    before = [_plain(body.fresh("given"), variable) for variable in program.jaxpr.invars[fixed:]]
    rows = len(before) - carried
    inputs = [described(x.name, x.shape, x.dtype) for x in before]
    if not rows:  # ONNX counts the rounds by the rows of an array
        given.append(graph.integers([0] * params["length"]))
        inputs.append(described(body.fresh("round"), (), np.dtype(np.int64)))
    constants = [constant(x) for x in program.consts]
    found = run(body, program.jaxpr, constants, [*values[:fixed], *before])
    after = []
    for x, variable in zip(found, program.jaxpr.outvars, strict=True):
        name = body.plain(x, dims(variable.aval.shape))
        # A body's results may not be its inputs or values from outside.
        after.append(_plain(body.add("Identity", [name]), variable))
    made = onnx.helper.make_graph(
        body.pruned([x.name for x in after]),
        "body",
        inputs,
        [described(x.name, x.shape, x.dtype) for x in after],
    )
    directions = {}
    if params["reverse"]:
        directions["scan_input_directions"] = [1] * max(rows, 1)
        if len(after) > carried:
            directions["scan_output_directions"] = [1] * (len(after) - carried)
    names = graph.add(
        "Scan",
        given,
        outputs=len(after),
        body=made,
        num_scan_inputs=max(rows, 1),
        **directions,
    )
    names = [names] if len(after) == 1 else names
    return [_plain(name, out) for name, out in zip(names, equation.outvars, strict=True)]


def _plain(name: str, variable: Any) -> Value:
    """Returns a value whose axes are in the program's order."""
    shape = dims(variable.aval.shape)
    return Value(name, shape, tuple(range(len(shape))), dtype_of(variable))
