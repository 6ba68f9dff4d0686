"""What a network costs: parameters, arithmetic and memory, layer by layer, and measured times.

Arithmetic is counted in the traced program, before any compiler changes it: two operations for each
multiplication with its addition, in convolutions and matrix products. Many papers count them as
one, such as He et al. 2015, https://arxiv.org/abs/1512.03385. Everything else is left out.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np


class Layer(NamedTuple):
    """A part of a network.

    Attributes:
        name: Its path, parts with slashes between them; empty for what is in no module.
        parameters: Numbers that are trained.
        flops: Floating-point operations for one input.
    """

    name: str
    parameters: int
    flops: int


class Measured(NamedTuple):
    """Times of a compiled program.

    Attributes:
        batch: Inputs at a time.
        compile_seconds: To trace and compile it.
        seconds: For one batch, the median of several.
        memory: Bytes of arguments, results and what lies in between; None if not known.
    """

    batch: int
    compile_seconds: float
    seconds: float
    memory: int | None


def layers(
    apply: Callable[..., Any], variables: Any, inputs: Sequence[Any], *, depth: int
) -> list[Layer]:
    """Counts parameters and operations of the parts of a network, in the order they are computed.

    Args:
        apply: Maps variables and inputs to outputs.
        variables: {"params", ...}, arrays or their shapes.
        inputs: Arrays or their shapes, with one example each.
        depth: Parts of a path that are told apart.
    """
    traced = jax.make_jaxpr(apply)(variables, *inputs)
    flops: dict[str, int] = {}
    _count(traced.jaxpr, 1, flops)
    parameters: dict[str, int] = {}
    for path, array in jax.tree_util.tree_flatten_with_path(variables["params"])[0]:
        module = jax.tree_util.keystr(path[:-1], simple=True, separator="/")
        parameters[module] = parameters.get(module, 0) + math.prod(array.shape)
    known = {tuple(name.split("/")[:n]) for name in parameters for n in range(1, 1 + depth)}
    found: dict[str, list[int]] = {}
    for scope, count in flops.items():
        found.setdefault(_module(scope, known), [0, 0])[1] += count
    for module, count in parameters.items():
        found.setdefault(_cut(module, depth), [0, 0])[0] += count
    return [Layer(name, *counts) for name, counts in found.items()]


def measure(
    apply: Callable[..., Any], variables: Any, inputs: Sequence[Any], *, seconds: float
) -> Measured:
    """Compiles and times a program.

    Args:
        apply: Maps variables and inputs to outputs.
        variables: Arrays.
        inputs: Arrays, an example a row.
        seconds: How long to measure, at most; at least three times it is run.
    """
    started = time.perf_counter()
    compiled = jax.jit(apply).lower(variables, *inputs).compile()
    compile_seconds = time.perf_counter() - started
    inputs = jax.device_put(inputs)
    jax.block_until_ready(compiled(variables, *inputs))
    times: list[float] = []
    while len(times) < 3 or (sum(times) < seconds and len(times) < 1000):
        started = time.perf_counter()
        jax.block_until_ready(compiled(variables, *inputs))
        times.append(time.perf_counter() - started)
    rows = len(jax.tree.leaves(inputs)[0])
    return Measured(rows, compile_seconds, float(np.median(times)), _memory(compiled))


def _memory(compiled: Any) -> int | None:
    found = compiled.memory_analysis()
    if found is None:
        return None
    return sum(getattr(found, f"{part}_size_in_bytes") for part in ("argument", "output", "temp"))


def _module(scope: str, known: set[tuple[str, ...]]) -> str:
    """Returns the longest known path of modules in a scope; empty if there is none.

    A scope starts with the network's own name, which no parameter has, `part.method` stands for a
    method of a part, and a part that is called from elsewhere than its parent lacks the parent.
    """
    parts = [part.partition(".")[0] for part in scope.split("/")]
    parts = [part for i, part in enumerate(parts) if i == 0 or part != parts[i - 1]]
    for start, part in enumerate(parts):
        above = [path[:-1] for path in known if path[-1] == part and len(path) <= 2]
        if len(above) == 1:
            path = (*above[0], part)
            for inner in parts[start + 1 :]:
                if (*path, inner) not in known:
                    break
                path = (*path, inner)
            if path in known:
                return "/".join(path)
    return ""


def _cut(name: str, depth: int) -> str:
    return "/".join(name.split("/")[:depth])


def _count(jaxpr: Any, times: int, flops: dict[str, int], outer: str = "") -> None:
    """Adds the operations of a program by scope."""
    for equation in jaxpr.eqns:
        scope = "/".join(filter(None, (outer, str(equation.source_info.name_stack))))
        kind = equation.primitive.name
        if kind in ("conv_general_dilated", "dot_general"):
            flops[scope] = flops.get(scope, 0) + times * _products(equation) * 2
            continue
        inner = [program for program in map(_program, _values(equation.params)) if program]
        if kind == "cond":  # one of several programs runs
            counted = [_total(program) for program in inner]
            inner = [inner[int(np.argmax(counted))]] if inner else []
        length = equation.params.get("length", 1) if kind == "scan" else 1
        for program in inner:
            _count(program, times * length, flops, scope)


def _total(jaxpr: Any) -> int:
    flops: dict[str, int] = {}
    _count(jaxpr, 1, flops)
    return sum(flops.values())


def _values(params: Mapping[str, Any]) -> list[Any]:
    found = []
    for value in params.values():
        found += list(value) if isinstance(value, (tuple, list)) else [value]
    return found


def _program(value: Any) -> Any:
    """Returns a program that is a parameter of an operation; None for anything else."""
    value = getattr(value, "jaxpr", value)
    return value if hasattr(value, "eqns") else None


def _products(equation: Any) -> int:
    """Counts the multiplications of a convolution or a matrix product."""
    left, right = (variable.aval.shape for variable in equation.invars[:2])
    output = math.prod(equation.outvars[0].aval.shape)
    if equation.primitive.name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        return output * math.prod(left[axis] for axis in contracted)
    numbers = equation.params["dimension_numbers"]
    features = right[numbers.rhs_spec[0]]
    return output * math.prod(right) // features
