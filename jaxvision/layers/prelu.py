"""ReLU whose slope below zero is learned.

Delving Deep into Rectifiers, He et al. 2015, https://arxiv.org/abs/1502.01852, section 2.1.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn


class PReLU(nn.Module):
    """max(x, 0) + slope * min(x, 0), with one slope for all channels.

    Attributes:
        initial: Slope at the start.
    """

    initial: float = 0.25

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [..., C] to [..., C]."""
        slope = self.param("slope", nn.initializers.constant(self.initial), (1,), jnp.float32)
        return jnp.where(x >= 0, x, slope[0].astype(x.dtype) * x)
