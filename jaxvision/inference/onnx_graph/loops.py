"""Loops whose number of rounds depends on the input."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxpr_as_fun

from jaxvision.inference.onnx_graph.graph import Graph, Value, constant
from jaxvision.inference.onnx_graph.shapes import described, dims
from jaxvision.inference.onnx_graph.shaping import all_in_program_order

# Adds a program's nodes to a graph; returns its results.
Run = Callable[[Graph, Any, Sequence[Value], Sequence[Value]], list[Value]]


def loop(graph: Graph, equation: Any, values: Sequence[Value], run: Run) -> list[Value]:
    """Writes a `while_loop` as an ONNX Loop without a limit of its rounds.

    Args:
        graph: Gets the node.
        equation: Of the loop.
        values: Its operands: constants of the condition, those of the body, and what is carried.
        run: Writes a program.
    """
    import onnx

    goes_on, advance = _programs(equation)
    count = equation.params["cond_nconsts"] + equation.params["body_nconsts"]
    fixed, carried = values[:count], equation.invars[count:]

    def written(into: Graph, program: Any, state: Sequence[Value]) -> list[str]:
        constants = [constant(x) for x in program.consts]
        found = run(into, program.jaxpr, constants, [*fixed, *state])
        shapes = [dims(variable.aval.shape) for variable in program.jaxpr.outvars]
        return [into.plain(x, shape) for x, shape in zip(found, shapes, strict=True)]

    def named(names: Sequence[str]) -> list[Value]:
        return all_in_program_order(names, carried)

    starts = [
        graph.plain(x, dims(variable.aval.shape))
        for x, variable in zip(values[count:], carried, strict=True)
    ]
    (first,) = written(graph, goes_on, named(starts))
    body = Graph(parent=graph)
    before = named([body.fresh("state") for _ in carried])
    # A body's results may not be its inputs or values from outside.
    after = named([body.add("Identity", [x]) for x in written(body, advance, before)])
    (more,) = written(body, goes_on, after)
    more = body.add("Identity", [more])
    flag, number = np.dtype(bool), np.dtype(np.int64)
    made = onnx.helper.make_graph(
        body.pruned([more, *(x.name for x in after)]),
        "body",
        [
            described(body.fresh("round"), (), number),
            described(body.fresh("more"), (), flag),
            *(described(x.name, x.shape, x.dtype) for x in before),
        ],
        [described(more, (), flag), *(described(x.name, x.shape, x.dtype) for x in after)],
    )
    names = graph.add("Loop", ["", first, *starts], outputs=len(starts), body=made)
    return named([names] if len(starts) == 1 else names)


def _programs(equation: Any) -> tuple[Any, Any]:
    """Returns whether a loop goes on, and its body, both of all of its operands.

    Loops that `vmap` made one have a condition for each of them. All go on while one does, and
    those that are done keep their state.
    """
    params = equation.params
    conditions, bodies = params["cond_nconsts"], params["body_nconsts"]
    condition, body = (jaxpr_as_fun(params[name]) for name in ("cond_jaxpr", "body_jaxpr"))

    def goes_on(*operands: jax.Array) -> list[jax.Array]:
        return [jnp.any(_condition(*operands))]

    def _condition(*operands: jax.Array) -> jax.Array:
        return condition(*operands[:conditions], *operands[conditions + bodies :])[0]

    def advance(*operands: jax.Array) -> list[jax.Array]:
        state = operands[conditions + bodies :]
        found = body(*operands[conditions : conditions + bodies], *state)
        one = _condition(*operands)
        if not one.ndim:
            return found
        return [
            jnp.where(jnp.expand_dims(one, tuple(range(one.ndim, new.ndim))), new, old)
            for new, old in zip(found, state, strict=True)
        ]

    given = [jax.ShapeDtypeStruct(x.aval.shape, x.aval.dtype) for x in equation.invars]
    return jax.make_jaxpr(goes_on)(*given), jax.make_jaxpr(advance)(*given)
