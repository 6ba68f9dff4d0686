"""Embeddings of the time of a diffusion process."""

import jax
import jax.numpy as jnp
import numpy as np


def time_embedding(t: jax.Array, features: int) -> jax.Array:
    """Computes sines, then cosines, of the time at geometrically falling frequencies.

    The layout of DDPM's code, as in fairseq: the frequencies fall from 1 to 1 / 10000, both
    included.

    Args:
        t: Times, in steps of the process [B].
        features: D, even and at least 4.

    Returns:
        Embeddings [B, D] float32.

    Raises:
        ValueError: If D is not.
    """
    if features % 2 or features < 4:
        raise ValueError(f"features must be even and at least 4, got {features}")
    half = features // 2
    frequencies = np.exp(-np.log(10_000.0) * np.arange(half) / (half - 1)).astype(np.float32)
    angles = t.astype(jnp.float32)[:, None] * frequencies[None]
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)
