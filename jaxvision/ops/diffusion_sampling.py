"""Sampling from a diffusion model: the loop from noise to images as one `jax.lax.scan`."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.ops import ranges
from jaxvision.ops.diffusion import Diffusion

# Maps noisy images [B, H, W, C] and times [B] to the network's output [B, H, W, C].
Denoise = Callable[[jax.Array, jax.Array], jax.Array]
SAMPLERS = ("ancestral", "ddim")
# The number by which the noise that sampling starts from is drawn; no step draws with it.
START = 0


def check_sampler(options: Any, total: int) -> None:
    """Checks the fields `sampler`, `sample_steps` and `eta` of a task.

    Args:
        options: Has the fields.
        total: Times of the process.

    Raises:
        ValueError: If there is no such sampler, or a number is out of its range.
    """
    if options.sampler not in SAMPLERS:
        raise ValueError(f"sampler must be one of {', '.join(SAMPLERS)}, got {options.sampler!r}")
    ranges.check(options, f"[1, {total}]", "sample_steps")
    ranges.check(options, "[0, 1]", "eta")


def run_sampler(
    diffusion: Diffusion,
    denoise: Denoise,
    shape: tuple[int, ...],
    keys: jax.Array,
    *,
    sampler: str,
    steps: int,
    eta: float,
) -> jax.Array:
    """Makes images of noise by a sampler's name.

    Args:
        diffusion: The process.
        denoise: The network.
        shape: Of an image, (H, W, C).
        keys: A random key for each image [B].
        sampler: A name of `SAMPLERS`.
        steps: Of `ddim`.
        eta: Of `ddim`.

    Returns:
        Images [B, H, W, C], in [-1, 1] if the process clips.
    """
    noise = drawn(keys, shape, START)
    if sampler == "ancestral":
        return ancestral_sample(diffusion, denoise, noise, keys)
    return ddim_sample(diffusion, denoise, noise, keys, steps=steps, eta=eta)


def ancestral_sample(
    diffusion: Diffusion, denoise: Denoise, noise: jax.Array, keys: jax.Array
) -> jax.Array:
    """Goes back through all times (Ho et al. 2020, algorithm 2).

    Args:
        diffusion: The process.
        denoise: The network.
        noise: What to start from [B, H, W, C], of variance 1.
        keys: A random key for each image [B].

    Returns:
        Images [B, H, W, C], in [-1, 1] if the process clips.
    """

    def step(x: jax.Array, t: jax.Array) -> tuple[jax.Array, None]:
        times = jnp.full(len(x), t, jnp.int32)
        fresh = drawn(keys, x.shape[1:], t + 1)
        return diffusion.ancestral_step(denoise(x, times), x, times, fresh), None

    return jax.lax.scan(step, noise, jnp.arange(diffusion.steps)[::-1])[0]


def ddim_sample(
    diffusion: Diffusion,
    denoise: Denoise,
    noise: jax.Array,
    keys: jax.Array,
    *,
    steps: int,
    eta: float = 0.0,
) -> jax.Array:
    """Goes back through a few times at equal distances (Song et al. 2020, section 4).

    Args:
        diffusion: The process.
        denoise: The network.
        noise: What to start from [B, H, W, C], of variance 1.
        keys: A random key for each image [B].
        steps: Number of times, each a call of the network.
        eta: 0 for a function of the noise alone, up to 1 for fresh noise at each step.

    Returns:
        Images [B, H, W, C], in [-1, 1] if the process clips.

    Raises:
        ValueError: If there are more steps than times, or none.
    """
    times = ddim_times(diffusion.steps, steps)

    def step(x: jax.Array, pair: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        now, after = (jnp.full(len(x), t, jnp.int32) for t in pair)
        fresh = drawn(keys, x.shape[1:], pair[0] + 1) if eta else jnp.zeros_like(x)
        found = diffusion.ddim_step(denoise(x, now), x, now, after, fresh, eta=eta)
        return found, None

    pairs = jnp.asarray(times), jnp.asarray(np.append(times[1:], -1))
    return jax.lax.scan(step, noise, pairs)[0]


def ddim_times(total: int, steps: int) -> np.ndarray:
    """Returns the times [steps] int32 that DDIM visits, the latest first: multiples of a stride.

    Raises:
        ValueError: If there are more steps than times, or none.
    """
    if not 1 <= steps <= total:
        raise ValueError(f"steps of DDIM must be between 1 and {total}, got {steps}")
    stride = total // steps
    return (np.arange(steps)[::-1] * stride).astype(np.int32)


def drawn(keys: jax.Array, shape: tuple[int, ...], number: jax.Array | int) -> jax.Array:
    """Draws noise [B, *shape] of which each row depends on its own key and a number alone."""
    keys = jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)
    return jax.vmap(lambda key: jax.random.normal(key, shape))(keys)
