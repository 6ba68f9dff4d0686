"""Other gradients of ReLU: those of deconvolution and of guided backpropagation."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

# Whether a gradient passes only where it is positive, and only where the input was.
RULES = {"deconvolution": (True, False), "guided_backpropagation": (True, True)}

# Operations that compute another program once, with the inputs that they are given.
_CALLS = ("jit", "pjit", "closed_call", "checkpoint", "custom_jvp_call", "custom_vjp_call")


def with_relu_rule(function: Callable[..., Any], rule: str) -> Callable[..., Any]:
    """Returns a function of the same values whose ReLUs have another gradient.

    `deconvolution`: Visualizing and Understanding Convolutional Networks, Zeiler and Fergus 2013,
    https://arxiv.org/abs/1311.2901, section 2.1: transposed filters and the switches of max
    pooling, as in the gradient, and a ReLU of what goes backwards.
    `guided_backpropagation`: Striving for Simplicity, Springenberg et al. 2014,
    https://arxiv.org/abs/1412.6806, section 3.4: both conditions.

    Args:
        function: Maps one array to one array; computes ReLU by `jax.nn.relu`, as Flax does.
        rule: A name of `RULES`.

    Raises:
        ValueError: When it is called, if the function has no ReLU.
    """
    relu = _relu(*RULES[rule])

    def changed(x: jax.Array) -> jax.Array:
        closed = jax.make_jaxpr(function)(x)
        if not _has_relu(closed.jaxpr):
            raise ValueError(f"{rule} is for networks with ReLU, and this one has none")
        return _evaluated(closed.jaxpr, closed.consts, [x], relu)[0]

    return changed


def _relu(of_gradient: bool, of_input: bool) -> Callable[[jax.Array], jax.Array]:
    @jax.custom_vjp
    def relu(x: jax.Array) -> jax.Array:
        return jnp.maximum(x, 0)

    def backward(x: jax.Array, gradient: jax.Array) -> tuple[jax.Array]:
        passes = jnp.full(x.shape, True)
        if of_gradient:
            passes &= gradient > 0
        if of_input:
            passes &= x > 0
        return (jnp.where(passes, gradient, 0),)

    relu.defvjp(lambda x: (jnp.maximum(x, 0), x), backward)
    return relu


def _inner(equation: Any) -> Any:
    """Returns the program that an operation calls, None for one that is no call."""
    if equation.primitive.name not in _CALLS:
        return None
    return equation.params.get("call_jaxpr") or equation.params["jaxpr"]


def _is_relu(equation: Any) -> bool:
    """Whether an operation is `jax.nn.relu`, which is a function with a derivative of its own."""
    if equation.primitive.name != "custom_jvp_call":
        return False
    # Within calls, the maximum of its input and 0, and nothing else.
    operations = [equation]
    while len(operations) == 1 and (inner := _inner(operations[0])) is not None:
        operations = _opened(inner)[0].eqns
    if [each.primitive.name for each in operations] != ["max"]:
        return False
    return any(isinstance(each, core.Literal) and each.val == 0 for each in operations[0].invars)


def _has_relu(program: Any) -> bool:
    return any(
        _is_relu(equation)
        or (_inner(equation) is not None and _has_relu(_opened(_inner(equation))[0]))
        for equation in program.eqns
    )


def _opened(program: Any) -> tuple[Any, Any]:
    """Returns a program and its constants."""
    return (program.jaxpr, program.consts) if hasattr(program, "consts") else (program, ())


def _evaluated(program: Any, constants: Any, given: list[Any], relu: Callable) -> list[Any]:
    """Computes a program, ReLUs by the function that takes their place."""
    values = dict(zip(program.constvars, constants, strict=True))
    values |= dict(zip(program.invars, given, strict=True))

    def value(each: Any) -> Any:
        return each.val if isinstance(each, core.Literal) else values[each]

    for equation in program.eqns:
        inputs = [value(each) for each in equation.invars]
        inner = _inner(equation)
        if _is_relu(equation):
            found = [relu(*inputs)]
        elif inner is not None:
            found = _evaluated(*_opened(inner), inputs, relu)
        else:
            found = equation.primitive.bind(*inputs, **equation.params)
            found = found if equation.primitive.multiple_results else [found]
        values |= dict(zip(equation.outvars, found, strict=True))
    return [value(each) for each in program.outvars]
