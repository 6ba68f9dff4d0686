"""The two-layer perceptron that follows attention in transformer blocks.

Attention Is All You Need, Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.3, with
any activation.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn


class MLP(nn.Module):
    """Widens every token, applies an activation and returns to the token's width.

    Attributes:
        hidden: Units of the hidden layer.
        act: Activation.
        dropout: Fraction of values dropped after each layer in training.
        kernel_init: Initialiser of both kernels.
        bias_init: Initialiser of both biases.
        dtype: Of the computation; parameters are float32.
    """

    hidden: int
    act: Callable[[jax.Array], jax.Array]
    dropout: float = 0.0
    kernel_init: jax.nn.initializers.Initializer = nn.initializers.xavier_uniform()
    bias_init: jax.nn.initializers.Initializer = nn.initializers.zeros
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [..., D] to [..., D]."""

        def dense(features: int, name: str) -> nn.Dense:
            return nn.Dense(
                features,
                kernel_init=self.kernel_init,
                bias_init=self.bias_init,
                dtype=self.dtype,
                name=name,
            )

        y = self.act(dense(self.hidden, "expand")(x))
        y = nn.Dropout(self.dropout, deterministic=not train)(y)
        y = dense(x.shape[-1], "project")(y)
        return nn.Dropout(self.dropout, deterministic=not train)(y)
