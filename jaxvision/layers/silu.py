"""SiLU, x * sigmoid(x), with a gradient that keeps nothing but x.

jax's keeps the sigmoid, too, and the output besides: on a CPU a large part of the time of a
convolution block. Here the way back computes the sigmoid once more, by the hyperbolic tangent: in
the same words as on the way forward, XLA would recognise it, and keep it.
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

    def along(x: jax.Array, tangent: jax.Array) -> jax.Array:
        gate = 0.5 * jnp.tanh(0.5 * x) + 0.5
        return tangent * (gate * (1 + x * (1 - gate)))

    return silu(x), jax.checkpoint(along, prevent_cse=False)(x, tangent)
