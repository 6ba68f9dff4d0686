"""The McCulloch-Pitts neuron, which computes logic and learns nothing.

A Logical Calculus of the Ideas Immanent in Nervous Activity, McCulloch and Pitts 1943,
https://doi.org/10.1007/BF02478259, section 2.
"""

import jax
import jax.numpy as jnp


def neuron(
    excitatory: jax.Array, inhibitory: jax.Array | None = None, *, threshold: int
) -> jax.Array:
    """Fires if enough excitatory inputs do and no inhibitory one does.

    Args:
        excitatory: Inputs [..., N], 0 or 1.
        inhibitory: Inputs [..., M], 0 or 1; none by default.
        threshold: Least number of excitatory inputs.

    Returns:
        1 where the neuron fires, else 0 [...] int32.
    """
    fires = excitatory.sum(axis=-1) >= threshold
    if inhibitory is not None:
        fires &= ~inhibitory.astype(bool).any(axis=-1)
    return fires.astype(jnp.int32)


def logical_and(inputs: jax.Array) -> jax.Array:
    """Fires if all of the inputs [..., N] do."""
    return neuron(inputs, threshold=inputs.shape[-1])


def logical_or(inputs: jax.Array) -> jax.Array:
    """Fires if any of the inputs [..., N] does."""
    return neuron(inputs, threshold=1)


def logical_not(inputs: jax.Array) -> jax.Array:
    """Fires unless the input [...] does: a neuron whose threshold is 0, and one inhibition."""
    inhibitory = inputs[..., None]
    return neuron(jnp.zeros_like(inhibitory), inhibitory, threshold=0)


def exclusive_or(inputs: jax.Array) -> jax.Array:
    """Fires if exactly one of two inputs [..., 2] does: no single neuron can, three do."""
    first, second = inputs[..., :1], inputs[..., 1:]
    only_first = neuron(first, second, threshold=1)
    only_second = neuron(second, first, threshold=1)
    return logical_or(jnp.stack([only_first, only_second], axis=-1))
