"""Optimizers by the names that papers and configs use, with decay, clipping and groups."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxvision.ops import ranges
from jaxvision.train.layer_decay import layer_scales
from jaxvision.train.names import first_match


def kernels(params: Any) -> Any:
    """Mask of the parameters that weight decay applies to: kernels, no biases, no normalisation."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: path[-1].key in ("kernel", "embedding"), params
    )


def scale_by_adagrad(
    initial_accumulator: float = 0.0, epsilon: float = 1e-10
) -> optax.GradientTransformation:
    """Divides gradients by the root of the sum of their squares, as PyTorch's `Adagrad`.

    Duchi et al. 2011, https://jmlr.org/papers/v12/duchi11a.html. `optax.scale_by_rss` starts the
    sum at 0.1 and has epsilon inside of the root.

    Args:
        initial_accumulator: What the sums start at.
        epsilon: Added to the root.
    """

    def init(params: Any) -> optax.ScaleByRssState:
        return optax.ScaleByRssState(
            jax.tree.map(lambda x: jnp.full_like(x, initial_accumulator), params)
        )

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        del params
        sums = jax.tree.map(lambda g, s: jnp.square(g) + s, updates, state.sum_of_squares)
        updates = jax.tree.map(lambda g, s: g / (jnp.sqrt(s) + epsilon), updates, sums)
        return updates, optax.ScaleByRssState(sums)

    return optax.GradientTransformation(init, update)


# What each optimizer makes of a gradient, before the learning rate.
_RULES: dict[str, Callable[..., optax.GradientTransformation]] = {
    "sgd": lambda **_: optax.identity(),
    "momentum": lambda momentum, **_: optax.trace(decay=momentum),
    "nesterov": lambda momentum, **_: optax.trace(decay=momentum, nesterov=True),
    "adagrad": lambda initial_accumulator, epsilon, **_: scale_by_adagrad(
        initial_accumulator, epsilon or 1e-10
    ),
    "adadelta": lambda decay, epsilon, **_: optax.scale_by_adadelta(decay or 0.9, epsilon or 1e-6),
    # Epsilon outside the root and the learning rate outside the moment, as in PyTorch.
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
    initial_accumulator: float = 0.0,
    sgd_after: int = 0,
    sgd_scale: float = 1.0,
    weight_decay: float = 0.0,
    l1: float = 0.0,
    clip_norm: float = 0.0,
    clip_value: float = 0.0,
    layer_decay: float = 1.0,
    groups: Sequence[tuple[str, float, float]] = (),
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
        initial_accumulator: What the sums of squares of `adagrad` start at.
        sgd_after: Steps after which SGD with `momentum` takes the place of the rule; 0 for never.
            Decay stays what it is with `name`.
        sgd_scale: Factor of SGD's updates, as its learning rate is another one: tens to hundreds
            after `adam`.
        weight_decay: Factor of the kernels: decoupled with `adamw` and `lamb`, else L2 (the factor
            is that of the parameter in the gradient, as PyTorch's, not of its square in the loss).
        l1: Factor of the kernels' signs in the gradient, that of their absolute sum in the loss.
        clip_norm: Longest gradient, over all parameters; 0 for any.
        clip_value: Largest absolute value in a gradient; 0 for any.
        layer_decay: Scales the learning rate of each block or stage of a backbone by
            layer_decay^(depth from the top); 1 for none. Groups scale on top of that.
        groups: (pattern, learning-rate scale, decay scale): parameters whose whole name, as
            `backbone/stem/conv/kernel`, matches a pattern have their learning rate, weight decay
            and `l1` scaled; the first match wins.
        decayed: Maps parameters to the mask of those that decay and `l1` apply to.

    Raises:
        ValueError: If there is no such optimizer, a factor is negative, or, when parameters are
            given, a group's pattern matches none of them.
    """
    own = dict(momentum=momentum, b1=b1, b2=b2, decay=decay, epsilon=epsilon)
    own |= dict(initial_accumulator=initial_accumulator)
    factors = dict(weight_decay=weight_decay, l1=l1, clip_norm=clip_norm, clip_value=clip_value)
    factors |= dict(sgd_after=sgd_after, sgd_scale=sgd_scale)
    _check(name, {**own, **factors, "layer_decay": layer_decay})
    rate_scales, decay_scales = _scales(groups, decayed)
    decay_term = add_decay(lambda p: weight_decay * p, decay_scales)
    rule = _RULES[name](**own)
    steps = (
        (clip_norm, optax.clip_by_global_norm(clip_norm)),
        (clip_value, optax.clip(clip_value)),
        (l1, add_decay(lambda p: l1 * jnp.sign(p), decay_scales)),
        (weight_decay and name not in DECOUPLED, decay_term),
        (True, sgd_from(rule, sgd_after, momentum, sgd_scale) if sgd_after else rule),
        (weight_decay and name in DECOUPLED, decay_term),
        # You et al. 2019, https://arxiv.org/abs/1904.00962: decay counts for the trust ratio.
        (name == "lamb", optax.scale_by_trust_ratio()),
        (True, optax.scale_by_learning_rate(learning_rate)),
        (groups, scale_leaves(rate_scales)),
        (layer_decay != 1, scale_leaves(lambda params: layer_scales(params, layer_decay))),
    )
    return optax.chain(*(step for is_used, step in steps if is_used))


class SwitchState(NamedTuple):
    """State of `sgd_from`.

    Attributes:
        count: Updates made [] int32.
        before: State of the rule that comes first.
        trace: Momentum of SGD, zeros until then.
    """

    count: jax.Array
    before: Any
    trace: Any


def sgd_from(
    rule: optax.GradientTransformation, step: int, momentum: float, scale: float
) -> optax.GradientTransformation:
    """Follows a rule for some steps, then SGD with momentum, which starts from rest.

    Improving Generalization Performance by Switching from Adam to SGD, Keskar and Socher 2017,
    https://arxiv.org/abs/1712.07628, with a step and a learning rate that are given: the paper
    estimates both from Adam's updates.

    Args:
        rule: What each gradient goes through before the learning rate.
        step: Updates made by it.
        momentum: Of SGD.
        scale: Factor of SGD's updates.
    """
    sgd = optax.trace(decay=momentum)

    def init(params: Any) -> SwitchState:
        return SwitchState(jnp.zeros([], jnp.int32), rule.init(params), sgd.init(params))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, SwitchState]:
        def first() -> tuple[Any, Any, Any]:
            found, before = rule.update(updates, state.before, params)
            return found, before, state.trace

        def then() -> tuple[Any, Any, Any]:
            found, trace = sgd.update(updates, state.trace, params)
            return jax.tree.map(lambda u: scale * u, found), state.before, trace

        found, before, trace = jax.lax.cond(state.count < step, first, then)
        return found, SwitchState(jnp.asarray(optax.safe_increment(state.count)), before, trace)

    return optax.GradientTransformation(init, update)


def _check(name: str, numbers: Mapping[str, float]) -> None:
    if name not in _RULES:
        raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {name}")
    shares = ("momentum", "b1", "b2", "decay")
    ranges.check(numbers, "[0, 1)", *shares)
    ranges.check(numbers, "(0, 1]", "layer_decay")
    ranges.check(numbers, "[0, inf)", *(numbers.keys() - {*shares, "layer_decay"}))


def _scales(
    groups: Sequence[tuple[str, float, float]], decayed: Callable[[Any], Any]
) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Returns functions from parameters to the trees of their scales: of the rate, of the decay."""
    for group in groups:
        is_row = isinstance(group, tuple | list) and len(group) == 3 and isinstance(group[0], str)
        numbers = group[1:] if is_row else [-1]
        if not all(isinstance(x, int | float) and 0 <= x < math.inf for x in numbers):
            raise ValueError(
                "groups must be of (pattern, learning-rate scale, decay scale), scales at least 0, "
                f"got {group!r}"
            )

    def column(params: Any, number: int) -> Any:
        chosen = first_match(params, [pattern for pattern, _, _ in groups], "groups")
        return jax.tree.map(lambda i: 1.0 if i < 0 else groups[i][number], chosen)

    def decay(params: Any) -> Any:
        return jax.tree.map(lambda x, chosen: x * chosen, column(params, 2), decayed(params))

    return (lambda params: column(params, 1)), decay


def add_decay(
    term: Callable[[jax.Array], jax.Array], scales: Callable[[Any], Any]
) -> optax.GradientTransformation:
    """Adds a term of each parameter, scaled, to its gradient.

    Args:
        term: Maps a parameter to the term.
        scales: Maps parameters to a tree of numbers, 0 for those without decay.
    """

    def update(updates: Any, params: Any) -> Any:
        return jax.tree.map(
            lambda g, p, scale: g + scale * term(p) if scale else g,
            updates,
            params,
            scales(params),
        )

    return optax.stateless(update)


def scale_leaves(scales: Callable[[Any], Any]) -> optax.GradientTransformation:
    """Multiplies each update by a number; `scales` maps parameters to a tree of them."""

    def init(params: Any) -> optax.EmptyState:
        scales(params)  # a wrong pattern fails here, before the first step
        return optax.EmptyState()

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        return jax.tree.map(lambda u, scale: scale * u, updates, scales(params)), state

    return optax.GradientTransformation(init, update)
