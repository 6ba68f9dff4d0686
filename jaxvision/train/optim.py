"""Optimizers by the names that papers and configs use, with decay, clipping and plateau."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from optax import contrib


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


# What each optimizer makes of a gradient, before the learning rate.
_RULES: dict[str, Callable[..., optax.GradientTransformation]] = {
    "sgd": lambda **_: optax.identity(),
    "momentum": lambda momentum, **_: optax.trace(decay=momentum),
    "nesterov": lambda momentum, **_: optax.trace(decay=momentum, nesterov=True),
    "adagrad": lambda epsilon, **_: optax.scale_by_rss(0.1, epsilon or 1e-7),
    "adadelta": lambda decay, epsilon, **_: optax.scale_by_adadelta(decay or 0.9, epsilon or 1e-6),
    # Epsilon outside of the root and the learning rate outside of the moment, as in PyTorch.
    "rmsprop": lambda momentum, decay, epsilon, **_: optax.chain(
        optax.scale_by_rms(decay or 0.9, epsilon or 1e-8, eps_in_sqrt=False),
        optax.trace(decay=momentum) if momentum else optax.identity(),
    ),
    "adam": lambda b1, b2, epsilon, **_: optax.scale_by_adam(b1, b2, epsilon or 1e-8),
    "lamb": lambda b1, b2, epsilon, **_: optax.scale_by_adam(b1, b2, epsilon or 1e-6),
}
_RULES["adamw"] = _RULES["adam"]
OPTIMIZERS = tuple(_RULES)
# Their weight decay does not pass through the moments (Loshchilov and Hutter 2017,
# https://arxiv.org/abs/1711.05101); that of the others is a part of the gradient, an L2 term.
DECOUPLED = ("adamw", "lamb")


def optimizer(
    name: str,
    learning_rate: optax.ScalarOrSchedule,
    *,
    momentum: float = 0.9,
    b1: float = 0.9,
    b2: float = 0.999,
    decay: float = 0.0,
    epsilon: float = 0.0,
    weight_decay: float = 0.0,
    l1: float = 0.0,
    clip_norm: float = 0.0,
    clip_value: float = 0.0,
    plateau: optax.GradientTransformationExtraArgs | None = None,
    decayed: Callable[[Any], Any] = kernels,
) -> optax.GradientTransformation:
    """Builds an optimizer.

    In this order: gradients are clipped, the terms of decay are added, the optimizer's own rule
    scales them, then the learning rate.

    Args:
        name: `sgd`, `momentum`, `nesterov`, `adagrad`, `adadelta`, `rmsprop`, `adam`, `adamw` or
            `lamb`.
        learning_rate: A number or a function of the steps made.
        momentum: Of `momentum`, `nesterov` and `rmsprop`; 0 for none with the last.
        b1: Decay of the first moment of `adam`, `adamw` and `lamb`.
        b2: Decay of their second moment.
        decay: Of the mean square of `rmsprop` and `adadelta`; 0 for 0.9.
        epsilon: Keeps divisions finite; 0 for the optimizer's usual one.
        weight_decay: Factor of the kernels: decoupled with `adamw` and `lamb`, else L2 (the factor
            is that of the parameter in the gradient, as PyTorch's, not of its square in the loss).
        l1: Factor of the kernels' signs in the gradient, that of their absolute sum in the loss.
        clip_norm: Longest gradient, over all parameters; 0 for any.
        clip_value: Largest absolute value in a gradient; 0 for any.
        plateau: As `reduce_on_plateau` makes it: lowers the learning rate where the loss stays.
        decayed: Maps parameters to the mask of those that decay and `l1` apply to.

    Raises:
        ValueError: If there is no such optimizer, or a factor is negative.
    """
    if name not in _RULES:
        raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {name}")
    factors = dict(weight_decay=weight_decay, l1=l1, clip_norm=clip_norm, clip_value=clip_value)
    for field, value in factors.items():
        if value < 0:
            raise ValueError(f"{field} must be at least 0, got {value}")
    decay_term = optax.add_decayed_weights(weight_decay, mask=decayed)
    stages = []
    if clip_norm:
        stages.append(optax.clip_by_global_norm(clip_norm))
    if clip_value:
        stages.append(optax.clip(clip_value))
    if l1:
        stages.append(add_l1(l1, decayed))
    if weight_decay and name not in DECOUPLED:
        stages.append(decay_term)
    stages.append(_RULES[name](momentum=momentum, b1=b1, b2=b2, decay=decay, epsilon=epsilon))
    if weight_decay and name in DECOUPLED:
        stages.append(decay_term)
    if name == "lamb":
        # You et al. 2019, https://arxiv.org/abs/1904.00962: decay counts for the trust ratio.
        stages.append(optax.scale_by_trust_ratio())
    stages.append(optax.scale_by_learning_rate(learning_rate))
    if plateau is not None:
        stages.append(plateau)
    return optax.chain(*stages)


def add_l1(factor: float, mask: Callable[[Any], Any]) -> optax.GradientTransformation:
    """Adds the gradient of `factor` times the absolute sum of the parameters that `mask` names."""

    def update(updates: Any, params: Any) -> Any:
        return jax.tree.map(
            lambda g, p, chosen: g + factor * jnp.sign(p) if chosen else g,
            updates,
            params,
            mask(params),
        )

    return optax.stateless(update)


def reduce_on_plateau(
    *, patience: int, every: int, factor: float = 0.1, tolerance: float = 1e-4
) -> optax.GradientTransformationExtraArgs:
    """Lowers the learning rate where the mean training loss has stopped to fall.

    It looks at the loss that the step computes, so that it needs nothing of the task; its factor is
    a part of the optimizer's state, so that a resumed run keeps it. The log's learning rate is the
    schedule's, without it; `plateau_scale` is logged beside it.

    Args:
        patience: Means in a row that do not improve before the rate falls.
        every: Steps over which the loss is averaged: those of an epoch.
        factor: What the rate is multiplied by.
        tolerance: Share of the best mean by which one has to be lower.

    Raises:
        ValueError: If a number is out of its range.
    """
    if patience < 1 or every < 1:
        raise ValueError(f"patience and every must be at least 1, got {patience} and {every}")
    return contrib.reduce_on_plateau(
        factor=factor, patience=patience, rtol=tolerance, accumulation_size=every
    )


def plateau_scale(opt_state: Any) -> jax.Array | None:
    """Finds the factor of `reduce_on_plateau` in an optimizer's state; None where there is none."""

    def is_plateau(node: Any) -> bool:
        return isinstance(node, contrib.ReduceLROnPlateauState)

    nodes = jax.tree.leaves(opt_state, is_leaf=is_plateau)
    return next((jnp.asarray(node.scale) for node in nodes if is_plateau(node)), None)
