"""Optimizers and schedules that papers name and optax has in parts."""

from typing import Any

import jax
import jax.numpy as jnp
import optax


def kernels(params: Any) -> Any:
    """Mask of the parameters that weight decay applies to: kernels, no biases, no normalisation."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: path[-1].key in ("kernel", "embedding"), params
    )


def sgd(
    learning_rate: optax.ScalarOrSchedule,
    *,
    momentum: float = 0.9,
    nesterov: bool = True,
    weight_decay: float = 0.0,
) -> optax.GradientTransformation:
    """SGD with L2 decay of the kernels added to the gradient, as PyTorch's `SGD` does.

    Args:
        learning_rate: A number or a function of the steps made.
        momentum: Of the velocity.
        nesterov: Whether the update looks ahead.
        weight_decay: Factor of the kernels in the gradient.
    """
    return optax.chain(
        optax.add_decayed_weights(weight_decay, mask=kernels),
        optax.trace(decay=momentum, nesterov=nesterov),
        optax.scale_by_learning_rate(learning_rate),
    )


def quadratic_warm_up_cosine(
    peak: float,
    *,
    total_steps: int,
    warm_up_steps: int,
    final_steps: int,
    final_ratio: float = 0.05,
) -> optax.Schedule:
    """YOLOX's schedule: a quadratic rise, a cosine, a floor for the last steps.

    Args:
        peak: Highest learning rate.
        total_steps: Length of the run.
        warm_up_steps: Length of the rise from 0.
        final_steps: Steps at the floor.
        final_ratio: The floor as a share of the peak.
    """
    floor = peak * final_ratio
    cosine_steps = max(total_steps - warm_up_steps - final_steps, 1)

    def schedule(step: jax.typing.ArrayLike) -> jax.Array:
        step = jnp.asarray(step, jnp.float32)
        progress = (step - warm_up_steps) / cosine_steps
        rate = floor + 0.5 * (peak - floor) * (1.0 + jnp.cos(jnp.pi * progress))
        rate = jnp.where(step >= total_steps - final_steps, floor, rate)
        if warm_up_steps:
            rise = peak * jnp.square(step / warm_up_steps)
            rate = jnp.where(step <= warm_up_steps, rise, rate)
        return rate

    return schedule


def noam(features: int, warm_up_steps: int, *, factor: float = 1.0) -> optax.Schedule:
    """The Transformer's schedule: a linear rise, then the inverse root of the step.

    Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, equation 3: factor * features^-0.5 *
    min(n^-0.5, n * warm_up_steps^-1.5) for step n, the first of which is 1. Its highest value is
    factor * (features * warm_up_steps)^-0.5.

    Args:
        features: Channels of the model, D.
        warm_up_steps: Length of the rise, at least 1.
        factor: The paper's is 1; small models take more.
    """
    if warm_up_steps < 1:
        raise ValueError(f"warm_up_steps must be at least 1, got {warm_up_steps}")

    def schedule(step: jax.typing.ArrayLike) -> jax.Array:
        number = jnp.asarray(step, jnp.float32) + 1.0
        rate = jnp.minimum(number**-0.5, number * warm_up_steps**-1.5)
        return factor * features**-0.5 * rate

    return schedule
