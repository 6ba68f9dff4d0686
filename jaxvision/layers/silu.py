"""SiLU, x * sigmoid(x), with a gradient that keeps nothing but x.

jax's keeps the sigmoid and the output besides, which is a large part of the time of a convolution
block on a CPU. Here the way back computes the sigmoid once more, by another formula: XLA would
recognise the same one, and keep its result all the same.
"""

import jax
import jax.numpy as jnp


@jax.custom_jvp
def silu(x: jax.Array) -> jax.Array:
    """Computes x * sigmoid(x), Elfwing et al. 2017, https://arxiv.org/abs/1702.03118."""
    return x * jax.nn.sigmoid(x)


@silu.defjvp
def _derivative(
    primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    (x,), (tangent,) = primals, tangents
    return silu(x), jax.checkpoint(_along, prevent_cse=False)(x, tangent)


def _along(x: jax.Array, tangent: jax.Array) -> jax.Array:
    # Above the limit the sigmoid is 1 to the last digit, and the power would overflow further up.
    power = jnp.exp(jnp.minimum(x, 10.0 if x.dtype == jnp.float16 else 20.0))
    gate = power / (1 + power)
    return tangent * (gate * (1 + x * (1 - gate)))
