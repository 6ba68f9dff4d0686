"""Multi-head scaled dot-product attention.

Attention Is All You Need, Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.2.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn


class KeyValues(NamedTuple):
    """Projections that queries attend to, split into heads.

    Attributes:
        keys: [B, S, heads, D / heads].
        values: [B, S, heads, D / heads].
    """

    keys: jax.Array
    values: jax.Array


def padding_mask(valid: jax.Array) -> jax.Array:
    """Returns the mask [B, 1, 1, S] under which every query attends to all valid tokens [B, S]."""
    return valid[:, None, None]


def causal_mask(length: int) -> jax.Array:
    """Returns the mask [1, 1, length, length]: each token attends to itself and earlier ones."""
    return jnp.tri(length, dtype=bool)[None, None]


def segment_mask(queries: jax.Array, keys: jax.Array) -> jax.Array:
    """Returns the mask under which queries attend to their own segment of a packed row.

    Args:
        queries: Segment of each query in its row, numbered from 1 [B, T]; 0 for padding.
        keys: Segment of each key [B, S].

    Returns:
        Mask [B, 1, T, S]; padding attends to nothing.
    """
    same = queries[:, :, None] == keys[:, None, :]
    return (same & (keys != 0)[:, None, :])[:, None]


def attention_weights(queries: jax.Array, keys: jax.Array, mask: jax.Array | None) -> jax.Array:
    """Computes softmax(Q K^T / sqrt(d)), equation 1, in float32.

    Args:
        queries: [B, T, heads, d].
        keys: [B, S, heads, d].
        mask: True where a query may attend to a key, broadcast to [B, heads, T, S]; None for no
            mask.

    Returns:
        Weights [B, heads, T, S] float32. They sum to 1 for each query, or to 0 where the mask
        excludes all keys.
    """
    logits = jnp.einsum("bthd,bshd->bhts", queries, keys, preferred_element_type=jnp.float32)
    logits = logits / jnp.sqrt(jnp.float32(queries.shape[-1]))
    if mask is None:
        return jax.nn.softmax(logits)
    # Finite: the softmax of a row of infinities, and its gradient, is NaN.
    logits = jnp.where(mask, logits, jnp.finfo(jnp.float32).min)
    return jnp.where(mask, jax.nn.softmax(logits), 0.0)


class MultiHeadAttention(nn.Module):
    """Attention of several heads, each with its own projections (section 3.2.2).

    Keys and values are computed by `keys_values`, apart from the queries, so that they can be
    cached: `attention(x, attention.keys_values(x), mask)` is self-attention. The weights are sown
    as an intermediate: pass `mutable=["intermediates"]`.

    Attributes:
        features: D.
        num_heads: Number of heads, each of D / heads channels.
        use_bias: Whether the four projections have a bias.
        dropout_rate: Dropout of the weights.
        dtype: Type of the computation; parameters and the softmax are float32.
        kernel_init: Initialiser of the projections of queries, keys and values.
        out_init: Initialiser of the projection of the output.
    """

    features: int
    num_heads: int
    use_bias: bool = True
    dropout_rate: float = 0.0
    dtype: jnp.dtype = jnp.float32
    kernel_init: jax.nn.initializers.Initializer = nn.initializers.xavier_uniform()
    out_init: jax.nn.initializers.Initializer = nn.initializers.xavier_uniform()

    def setup(self) -> None:
        """Builds the four projections."""
        if self.features % self.num_heads:
            raise ValueError(
                f"features must be a multiple of the number of heads, {self.num_heads}, got "
                f"{self.features}"
            )
        project = functools.partial(nn.DenseGeneral, use_bias=self.use_bias, dtype=self.dtype)
        heads = (self.num_heads, self.features // self.num_heads)
        self.query = project(heads, kernel_init=self.kernel_init)
        self.key = project(heads, kernel_init=self.kernel_init)
        self.value = project(heads, kernel_init=self.kernel_init)
        self.out = project(self.features, axis=(-2, -1), kernel_init=self.out_init)
        self.dropout = nn.Dropout(self.dropout_rate)

    def keys_values(self, memory: jax.Array) -> KeyValues:
        """Projects the tokens [B, S, D] that are attended to."""
        return KeyValues(self.key(memory), self.value(memory))

    def __call__(
        self, x: jax.Array, keys_values: KeyValues, mask: jax.Array | None = None, *, train: bool
    ) -> jax.Array:
        """Maps the tokens that attend [B, T, D] to [B, T, D].

        Args:
            x: Tokens that attend.
            keys_values: Projections of the tokens that are attended to.
            mask: As in `attention_weights`.
            train: Whether dropout is on.
        """
        weights = attention_weights(self.query(x), keys_values.keys, mask)
        self.sow("intermediates", "weights", weights)
        weights = self.dropout(weights, deterministic=not train).astype(self.dtype)
        return self.out(jnp.einsum("bhts,bshd->bthd", weights, keys_values.values))
