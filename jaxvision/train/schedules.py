"""Learning rates: any of a few by name, with a linear warmup, and those of two papers."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import optax

from jaxvision.ops import ranges

SCHEDULES = (
    "constant",
    "step",
    "exponential",
    "cosine",
    "polynomial",
    "inverse_sqrt",
    "one_cycle",
    "triangular",
    "triangular2",
    "exp_range",
)


def schedule(
    name: str,
    peak: float,
    *,
    total_steps: int,
    warmup_steps: int = 0,
    boundaries: Sequence[float] = (0.5, 0.75),
    factor: float = 0.1,
    period: int = 1,
    hold: int = 0,
    power: float = 1.0,
    final_ratio: float = 0.0,
    rise: float = 0.3,
) -> optax.Schedule:
    """Builds a learning rate as a function of the steps made.

    Args:
        name: `constant`; `step`, times `factor` at each boundary; `exponential`, times
            `factor` every `period` steps; `cosine` or `polynomial`, from
            the peak after the warmup to the floor at the end; `inverse_sqrt`, the peak times the
            root of warmup_steps by step; `one_cycle` (Smith and Topin 2017,
            https://arxiv.org/abs/1708.07120), a cosine from peak / 25 up and one down to the floor,
            which has a warmup of its own; `triangular`, up from the floor and down again in
            straight lines every `period` steps, `triangular2`, whose peak above the floor halves
            with each cycle, and `exp_range`, whose peak is times `factor` every `period` steps, all
            along the way (Smith 2015, https://arxiv.org/abs/1506.01186, section 3.1).
        peak: Highest learning rate.
        total_steps: Length of the run.
        warmup_steps: The first steps, in which the rate rises linearly from peak / warmup_steps;
            the rest of the run is as long as it leaves, but boundaries count from the start.
        boundaries: Of `step`, as shares of the run, ascending.
        factor: Of `step`, `exponential` and `exp_range`.
        period: Of `exponential`, and a whole cycle, two of the paper's step sizes, at
            least 2; in steps.
        hold: Steps before the first change of `exponential`; at least a period.
        power: Of `polynomial`.
        final_ratio: The floor of `cosine`, `polynomial`, `one_cycle` and the cycles as a share of
            the peak.
        rise: Share of the run in which `one_cycle` rises.

    Raises:
        ValueError: If there is no such schedule, or a number is out of its range.
    """
    if name not in SCHEDULES:
        raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}, got {name}")
    if not 0 <= warmup_steps < total_steps:
        raise ValueError(
            f"warmup_steps must be in [0, {total_steps}), the length of the run, got {warmup_steps}"
        )
    left = total_steps - warmup_steps
    if name == "one_cycle":
        if warmup_steps:
            raise ValueError(f"one_cycle has its own warmup; got warmup_steps {warmup_steps}")
        return _one_cycle(peak, total_steps, max(1, round(rise * total_steps)), final_ratio)
    if name == "step":
        main = _stepwise(peak, total_steps, warmup_steps, boundaries, factor)
    elif name == "exponential":
        main = optax.exponential_decay(
            peak, period, factor, transition_begin=max(0, hold - period), staircase=True
        )
    elif name == "cosine":
        main = optax.cosine_decay_schedule(peak, left, alpha=final_ratio)
    elif name == "polynomial":
        main = optax.polynomial_schedule(peak, peak * final_ratio, power, left)
    elif name == "inverse_sqrt":
        main = _inverse_sqrt(peak, max(warmup_steps, 1))
    elif name in ("triangular", "triangular2", "exp_range"):
        main = _cyclic(name, peak, max(period, 2), factor, final_ratio)
    else:
        main = optax.constant_schedule(peak)
    if not warmup_steps:
        return main
    # The first step, number 0, already learns: its rate is that of one step of the ramp.
    ramp = optax.linear_schedule(
        peak / warmup_steps, peak * (warmup_steps + 1) / warmup_steps, warmup_steps
    )
    return optax.join_schedules([ramp, main], [warmup_steps])


def quadratic_warmup_cosine(
    peak: float,
    *,
    total_steps: int,
    warmup_steps: int,
    final_steps: int,
    final_ratio: float = 0.05,
) -> optax.Schedule:
    """YOLOX's schedule: a quadratic rise, a cosine, a floor for the last steps.

    Args:
        peak: Highest learning rate.
        total_steps: Length of the run.
        warmup_steps: Length of the rise from 0.
        final_steps: Steps at the floor.
        final_ratio: The floor as a share of the peak.
    """
    floor = peak * final_ratio
    cosine_steps = max(total_steps - warmup_steps - final_steps, 1)

    def rate(step: jax.typing.ArrayLike) -> jax.Array:
        step = jnp.asarray(step, jnp.float32)
        progress = (step - warmup_steps) / cosine_steps
        cosine = floor + 0.5 * (peak - floor) * (1.0 + jnp.cos(jnp.pi * progress))
        falling = jnp.where(step >= total_steps - final_steps, floor, cosine)
        if not warmup_steps:
            return falling
        return jnp.where(step <= warmup_steps, peak * jnp.square(step / warmup_steps), falling)

    return rate


def noam(features: int, warmup_steps: int, *, factor: float = 1.0) -> optax.Schedule:
    """The Transformer's schedule: a linear rise, then the inverse root of the step.

    Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, equation 3: factor * features^-0.5 *
    min(n^-0.5, n * warmup_steps^-1.5) for step n, the first of which is 1. Its highest value is
    factor * (features * warmup_steps)^-0.5.

    Args:
        features: Channels of the model, D.
        warmup_steps: Length of the rise, at least 1.
        factor: The paper's is 1; small models take more.
    """
    if warmup_steps < 1:
        raise ValueError(f"warmup_steps must be at least 1, got {warmup_steps}")

    def rate(step: jax.typing.ArrayLike) -> jax.Array:
        number = jnp.asarray(step, jnp.float32) + 1.0
        smaller = jnp.minimum(number**-0.5, number * warmup_steps**-1.5)
        return factor * features**-0.5 * smaller

    return rate


def _stepwise(
    peak: float, total_steps: int, warmup_steps: int, boundaries: Sequence[float], factor: float
) -> optax.Schedule:
    ranges.check({"boundaries": boundaries}, "(0, 1)", "boundaries")
    if list(boundaries) != sorted(set(boundaries)):
        raise ValueError(f"boundaries must be ascending shares in (0, 1), got {boundaries}")
    return optax.piecewise_constant_schedule(
        peak, {round(b * total_steps) - warmup_steps: factor for b in boundaries}
    )


def _inverse_sqrt(peak: float, start: int) -> optax.Schedule:
    def rate(step: jax.typing.ArrayLike) -> jax.Array:
        return peak * jnp.sqrt(start / (jnp.asarray(step, jnp.float32) + start))

    return rate


def _cyclic(
    name: str, peak: float, period: int, factor: float, final_ratio: float
) -> optax.Schedule:
    floor = peak * final_ratio

    def rate(step: jax.typing.ArrayLike) -> jax.Array:
        cycles = jnp.asarray(step, jnp.float32) / period
        place = cycles % 1.0
        height = 1.0 - jnp.abs(2.0 * place - 1.0)
        if name == "triangular2":
            height = height * 0.5 ** jnp.floor(cycles)
        elif name == "exp_range":
            height = height * jnp.float32(factor) ** cycles
        return floor + (peak - floor) * height

    return rate


def _one_cycle(peak: float, total_steps: int, top: int, final_ratio: float) -> optax.Schedule:
    def rate(step: jax.typing.ArrayLike) -> jax.Array:
        step = jnp.asarray(step, jnp.float32)
        up = (1.0 - jnp.cos(jnp.pi * step / top)) / 2
        down = (1.0 + jnp.cos(jnp.pi * (step - top) / max(total_steps - top, 1))) / 2
        rising = 1 / 25 + (1 - 1 / 25) * up
        return peak * jnp.where(step < top, rising, final_ratio + (1 - final_ratio) * down)

    return rate
