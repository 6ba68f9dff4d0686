"""What a module of a network gives while the whole network is computed, and adding to it."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
from flax import linen as nn

T = TypeVar("T")


def seen_maps(
    compute: Callable[[], T], layer: str, added: jax.Array | None = None
) -> tuple[T, jax.Array | None]:
    """Computes something, and returns what a module gave in its last call.

    The gradient by `added`, at zeros, is the gradient by the module's output.

    Args:
        compute: Applies a network.
        layer: Path of the module, as `backbone/stage4_block2`. Where its output is {stride:
            features}, those of the largest stride count.
        added: Added to the output; None for nothing.

    Returns:
        What `compute` returned, and the module's output, None if it was not called.
    """
    seen: list[jax.Array] = []

    def intercept(call: Callable, arguments: Any, keywords: Any, context: Any) -> Any:
        output = call(*arguments, **keywords)
        if "/".join(context.module.path) != layer or context.method_name != "__call__":
            return output
        maps = output[max(output)] if isinstance(output, dict) else output
        maps = maps if added is None else maps + added
        seen.append(maps)
        return {**output, max(output): maps} if isinstance(output, dict) else maps

    with nn.intercept_methods(intercept):
        found = compute()
    return found, seen[-1] if seen else None
