"""Loops over the rows of arrays, as those of recurrent layers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxvision.inference.onnx_graph.graph import Graph, Value, constant
from jaxvision.inference.onnx_graph.loops import Run
from jaxvision.inference.onnx_graph.shapes import described, dims
from jaxvision.inference.onnx_graph.shaping import all_in_program_order


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
    variables = program.jaxpr.invars[fixed:]
    before = all_in_program_order([body.fresh("given") for _ in variables], variables)
    rows = len(before) - carried
    inputs = [described(x.name, x.shape, x.dtype) for x in before]
    if not rows:  # ONNX counts the rounds by the rows of an array
        given.append(graph.integers([0] * params["length"]))
        inputs.append(described(body.fresh("round"), (), np.dtype(np.int64)))
    constants = [constant(x) for x in program.consts]
    found = run(body, program.jaxpr, constants, [*values[:fixed], *before])
    written = [
        body.plain(x, dims(variable.aval.shape))
        for x, variable in zip(found, program.jaxpr.outvars, strict=True)
    ]
    # A body's results may not be its inputs or values from outside.
    ended = [body.add("Identity", [name]) for name in written]
    after = all_in_program_order(ended, program.jaxpr.outvars)
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
    return all_in_program_order([names] if len(after) == 1 else names, equation.outvars)
