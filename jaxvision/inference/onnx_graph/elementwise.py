"""Operations on single numbers, as ONNX nodes."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxvision.inference.onnx_graph.graph import Batch, Dim, Graph, Shape, Value
from jaxvision.inference.onnx_graph.shapes import dtype_of

Handler = Callable[[Graph, Any, Sequence[Value]], list[Value]]


def together(graph: Graph, values: Sequence[Value]) -> tuple[list[str], tuple[int, ...], Shape]:
    """Brings operands into one order of axes.

    Returns:
        Their names, the order, and the shape of what an elementwise operation makes of them.
    """
    rank = max(len(x.shape) for x in values)
    stored = [x.order for x in values if x.constant is None and len(x.shape) == rank]
    order = next((x for x in stored if x != tuple(range(rank))), tuple(range(rank)))
    names = [graph.in_order(x, order if len(x.shape) == rank else x.order) for x in values]
    shapes = [x.shape for x in values if len(x.shape) == rank]
    return names, order, tuple(_longest(lengths) for lengths in zip(*shapes, strict=True))


def _longest(lengths: Sequence[Dim]) -> Dim:
    return next((x for x in lengths if isinstance(x, Batch) or x != 1), 1)


def _node(kind: str, graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    names, order, shape = together(graph, values)
    return [Value(graph.add(kind, names), shape, order, dtype_of(equation.outvars[0]))]


def _negated(kind: str, graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    (found,) = _node(kind, graph, equation, values)
    return [Value(graph.add("Not", [found.name]), found.shape, found.order, found.dtype)]


def _extremum(
    number: str, boolean: str, graph: Graph, equation: Any, values: Sequence[Value]
) -> list[Value]:
    kind = boolean if values[0].dtype == bool else number
    return _node(kind, graph, equation, values)


def _divide(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    """Writes the mean as one node where a sum is divided by the number of its terms."""
    total, count = values
    found = graph.means.get(total.name)
    if found and count.constant is not None and count.constant.size:
        source, axes, terms = found
        if np.all(count.constant == terms):
            name = graph.add("ReduceMean", [source, graph.integers(axes)], keepdims=0)
            return [Value(name, total.shape, total.order, total.dtype)]
    return _node("Div", graph, equation, values)


def _identity(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    return list(values)


def _chain(*kinds: str) -> Handler:
    def handler(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
        (found,) = _node(kinds[0], graph, equation, values)
        name = found.name
        for kind in kinds[1:]:
            name = graph.add(kind, [name])
        return [Value(name, found.shape, found.order, found.dtype)]

    return handler


def _with_constant(
    kind: str, number: float, graph: Graph, equation: Any, values: Sequence[Value]
) -> list[Value]:
    """Writes an operation of x and a number."""
    (x,) = values
    name = graph.in_order(x, x.order)
    other = graph.initializer(np.asarray(number, x.dtype))
    return [Value(graph.add(kind, [name, other]), x.shape, x.order, x.dtype)]


def _log1p(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    (more,) = _with_constant("Add", 1.0, graph, equation, values)
    return [Value(graph.add("Log", [more.name]), more.shape, more.order, more.dtype)]


def _expm1(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    return _with_constant("Sub", 1.0, graph, equation, _node("Exp", graph, equation, values))


def _erfc(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    (erf,) = _node("Erf", graph, equation, values)
    one = graph.initializer(np.ones((), erf.dtype))
    return [Value(graph.add("Sub", [one, erf.name]), erf.shape, erf.order, erf.dtype)]


def _power(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    exponent = equation.params["y"]
    if exponent == 2:
        return _square(graph, equation, values)
    if exponent == -1:
        return _node("Reciprocal", graph, equation, values)
    return _with_constant("Pow", exponent, graph, equation, values)


def _square(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    return _node("Mul", graph, equation, [values[0], values[0]])


def _select(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    condition, *cases = values
    if len(cases) != 2 or condition.dtype != bool:
        raise ValueError("ONNX has no choice between more than two values")
    names, order, shape = together(graph, [condition, cases[1], cases[0]])
    if cases[0].dtype == bool:  # onnxruntime has no Where for it
        chosen, yes, no = names
        taken = graph.add("And", [chosen, yes])
        other = graph.add("And", [graph.add("Not", [chosen]), no])
        return [Value(graph.add("Or", [taken, other]), shape, order, np.dtype(bool))]
    return [Value(graph.add("Where", names), shape, order, cases[0].dtype)]


def _clamp(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    least, x, most = values
    (above,) = _node("Max", graph, equation, [x, least])
    return _node("Min", graph, equation, [above, most])


def _cast(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    import onnx

    (x,) = values
    target = dtype_of(equation.outvars[0])
    if x.dtype == target:
        return [x]
    kind = onnx.helper.np_dtype_to_tensor_dtype(target)
    name = graph.add("Cast", [graph.in_order(x, x.order)], to=kind)
    return [Value(name, x.shape, x.order, target)]


def _remainder(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    names, order, shape = together(graph, values)
    return [Value(graph.add("Mod", names, fmod=1), shape, order, values[0].dtype)]


def _atan2(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    """Writes the angle of (y, x) by that of y / x, which is right where x > 0."""
    (y, x), order, shape = together(graph, values)
    zero, one, pi, half = (
        graph.initializer(np.asarray(number, values[0].dtype))
        for number in (0, 1, np.pi, np.pi / 2)
    )
    upright = graph.add("Equal", [x, zero])
    ratio = graph.add("Div", [y, graph.add("Where", [upright, one, x])])
    angle = graph.add("Atan", [ratio])
    below = graph.add("Less", [y, zero])
    turn = graph.add("Where", [below, graph.add("Neg", [pi]), pi])
    turned = graph.add("Add", [angle, turn])
    angle = graph.add("Where", [graph.add("Less", [x, zero]), turned, angle])
    vertical = graph.add("Mul", [graph.add("Sign", [y]), half])
    name = graph.add("Where", [upright, vertical, angle])
    return [Value(name, shape, order, dtype_of(equation.outvars[0]))]


def _round(graph: Graph, equation: Any, values: Sequence[Value]) -> list[Value]:
    if int(equation.params["rounding_method"]) != 1:
        raise ValueError("ONNX rounds halves to even numbers alone")
    return _node("Round", graph, equation, values)


# Same name for the same function but for the letters' case, or another name.
_NODES = {
    **{name: name.capitalize() for name in ("exp", "log", "tanh", "sqrt", "neg", "abs", "floor")},
    **{name: name.capitalize() for name in ("ceil", "sign", "erf", "sin", "cos", "add", "sub")},
    **{name: name.capitalize() for name in ("mul", "pow", "not", "and", "or", "xor")},
    "logistic": "Sigmoid",
    "eq": "Equal",
    "lt": "Less",
    "le": "LessOrEqual",
    "gt": "Greater",
    "ge": "GreaterOrEqual",
}
HANDLERS: dict[str, Handler] = {
    **{name: functools.partial(_node, kind) for name, kind in _NODES.items()},
    **dict.fromkeys(("copy", "copy_p", "stop_gradient", "reduce_precision"), _identity),
    "optimization_barrier": _identity,
    "max": functools.partial(_extremum, "Max", "Or"),
    "min": functools.partial(_extremum, "Min", "And"),
    "ne": functools.partial(_negated, "Equal"),
    "div": _divide,
    "rsqrt": _chain("Sqrt", "Reciprocal"),
    "square": _square,
    "integer_pow": _power,
    "log1p": _log1p,
    "expm1": _expm1,
    "erfc": _erfc,
    "atan2": _atan2,
    "rem": _remainder,
    "round": _round,
    "select_n": _select,
    "clamp": _clamp,
    "convert_element_type": _cast,
}
