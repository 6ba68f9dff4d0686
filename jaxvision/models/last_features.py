"""What a classifier computes its classes from."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import jax
import jax.numpy as jnp
from flax import linen as nn


def last_features(
    model: nn.Module, variables: Mapping[str, Any], images: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Computes logits, and the input of the last dense layer.

    Args:
        model: Maps images [B, H, W, C] to logits [B, K].
        variables: Of the model.
        images: Normalised as the model takes them.

    Returns:
        Features [B, D] and logits [B, K], both float32.

    Raises:
        ValueError: If the model has no dense layer.
    """
    seen: list[jax.Array] = []

    def watch(
        call: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext
    ) -> Any:
        if isinstance(context.module, nn.Dense) and context.method_name == "__call__":
            seen.append(args[0])
        return call(*args, **kwargs)

    with nn.intercept_methods(watch):
        logits = cast(jax.Array, model.apply(variables, images, train=False))
    if not seen:
        raise ValueError(f"{type(model).__name__} has no dense layer whose input are features")
    return seen[-1].reshape(len(images), -1).astype(jnp.float32), logits.astype(jnp.float32)
