"""Stacks of attention and feed-forward blocks: encoders, decoders and language models.

Attention Is All You Need, Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, figure 1. A stack
with `cross` is a decoder; without, it is an encoder or, under a causal mask, a language model.
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.models.sequence.attention import KeyValues, MultiHeadAttention

# Keys and values of the tokens so far, one for each layer.
Cache = tuple[KeyValues, ...]

# PyTorch's; the paper gives no value.
EPSILON = 1e-5


def layer_norm(dtype: jnp.dtype, name: str | None = None) -> nn.LayerNorm:
    """Builds a LayerNorm with float32 statistics and a variance without cancellation."""
    return nn.LayerNorm(EPSILON, dtype=dtype, use_fast_variance=False, name=name)


class FeedForward(nn.Module):
    """Two dense layers, applied to each token separately (equation 2).

    Attributes:
        hidden: Channels between the two.
        dropout_rate: Dropout between the two; the paper has none there.
        dtype: Type of the computation.
        activation: Function between the two.
        kernel_init: Initialiser of the first layer's kernel.
        out_init: Initialiser of the second's.
    """

    hidden: int
    dropout_rate: float
    dtype: jnp.dtype
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    kernel_init: jax.nn.initializers.Initializer = nn.initializers.xavier_uniform()
    out_init: jax.nn.initializers.Initializer = nn.initializers.xavier_uniform()

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, T, D] to [B, T, D]."""
        dense = functools.partial(nn.Dense, dtype=self.dtype)
        y = dense(self.hidden, kernel_init=self.kernel_init, name="expand")(x)
        y = nn.Dropout(self.dropout_rate)(self.activation(y), deterministic=not train)
        return dense(x.shape[-1], kernel_init=self.out_init, name="reduce")(y)


class Block(nn.Module):
    """Self-attention, cross-attention in a decoder, and feed-forward layer.

    Attributes:
        num_heads: Number of heads of each attention.
        features: D.
        hidden: Channels inside the feed-forward layer.
        cross: Whether the block also attends to another sequence.
        pre_norm: Whether to compute x + f(norm(x)) instead of the paper's norm(x + f(x)).
        dropout_rate: Dropout of the output of each sublayer.
        attention_dropout_rate: Dropout of the attention weights.
        activation_dropout_rate: Dropout inside the feed-forward layer.
        attention_bias: Whether the projections of attention have a bias.
        dtype: Type of the computation.
        activation: Function inside the feed-forward layer.
        kernel_init: Initialiser of the kernels of a sublayer but for its last.
        out_init: Initialiser of the last kernel of each sublayer, whose output is added to x.
    """

    num_heads: int
    features: int
    hidden: int
    cross: bool
    pre_norm: bool
    dropout_rate: float
    attention_dropout_rate: float
    activation_dropout_rate: float
    attention_bias: bool
    dtype: jnp.dtype
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    kernel_init: jax.nn.initializers.Initializer = nn.initializers.xavier_uniform()
    out_init: jax.nn.initializers.Initializer = nn.initializers.xavier_uniform()

    def setup(self) -> None:
        """Builds the sublayers."""
        attention = functools.partial(
            MultiHeadAttention,
            self.features,
            self.num_heads,
            self.attention_bias,
            self.attention_dropout_rate,
            self.dtype,
            self.kernel_init,
            self.out_init,
        )
        self.attention = attention()
        self.attention_norm = layer_norm(self.dtype)
        if self.cross:
            self.cross_attention = attention()
            self.cross_attention_norm = layer_norm(self.dtype)
        self.feed_forward = FeedForward(
            self.hidden,
            self.activation_dropout_rate,
            self.dtype,
            self.activation,
            self.kernel_init,
            self.out_init,
        )
        self.feed_forward_norm = layer_norm(self.dtype)
        self.dropout = nn.Dropout(self.dropout_rate)

    def __call__(
        self,
        x: jax.Array,
        mask: jax.Array | None,
        memory: KeyValues | None = None,
        memory_mask: jax.Array | None = None,
        *,
        train: bool,
    ) -> jax.Array:
        """Maps [B, T, D] to [B, T, D]; the arguments are those of `Stack`, for one layer."""
        y = self._before(self.attention_norm, x)
        y = self.attention(y, self.attention.keys_values(y), mask, train=train)
        x = self._add(self.attention_norm, x, y, train)
        return self._rest(x, memory, memory_mask, train)

    def step(
        self,
        x: jax.Array,
        position: jax.Array,
        cache: KeyValues,
        memory: KeyValues | None = None,
        memory_mask: jax.Array | None = None,
    ) -> tuple[jax.Array, KeyValues]:
        """Maps one token per sequence [N, 1, D] to [N, 1, D] and adds it to the cache."""
        y = self._before(self.attention_norm, x)
        new = self.attention.keys_values(y)
        cache = jax.tree.map(
            lambda old, new: jax.lax.dynamic_update_slice_in_dim(old, new, position, axis=1),
            cache,
            new,
        )
        written = jnp.arange(cache.keys.shape[1]) <= position
        y = self.attention(y, cache, written[None, None, None], train=False)
        x = self._add(self.attention_norm, x, y, train=False)
        return self._rest(x, memory, memory_mask, train=False), cache

    def cross_keys_values(self, memory: jax.Array) -> KeyValues:
        """Projects the tokens [B, S, D] that cross-attention attends to."""
        return self.cross_attention.keys_values(memory)

    def _rest(
        self, x: jax.Array, memory: KeyValues | None, memory_mask: jax.Array | None, train: bool
    ) -> jax.Array:
        """Applies the sublayers after self-attention."""
        if self.cross:
            if memory is None:
                raise ValueError("a stack with cross-attention needs memory, got None")
            y = self._before(self.cross_attention_norm, x)
            # Hypotheses of one source are tokens of one row here, so that its memory is not copied.
            y = y.reshape(memory.keys.shape[0], -1, self.features)
            y = self.cross_attention(y, memory, memory_mask, train=train)
            x = self._add(self.cross_attention_norm, x, y.reshape(x.shape), train)
        y = self.feed_forward(self._before(self.feed_forward_norm, x), train=train)
        return self._add(self.feed_forward_norm, x, y, train)

    def _before(self, norm: nn.LayerNorm, x: jax.Array) -> jax.Array:
        return norm(x) if self.pre_norm else x

    def _add(self, norm: nn.LayerNorm, x: jax.Array, y: jax.Array, train: bool) -> jax.Array:
        """Adds the output of a sublayer to x."""
        x = x + self.dropout(y, deterministic=not train)
        return x if self.pre_norm else norm(x)


class Stack(nn.Module):
    """A stack of blocks.

    Attributes:
        block: Builds a block, for example `functools.partial(Block, num_heads=8, ...)`.
        num_layers: Number of blocks.
        final_norm: Whether the output of the last block is normalised; `pre_norm` needs it.
    """

    block: Callable[..., Block]
    num_layers: int
    final_norm: bool

    def setup(self) -> None:
        """Builds the blocks."""
        self.layers = [self.block(name=f"layer{i}") for i in range(1, self.num_layers + 1)]
        if self.final_norm:
            self.norm = layer_norm(self.layers[0].dtype)

    def __call__(
        self,
        x: jax.Array,
        mask: jax.Array | None = None,
        memory: Cache | None = None,
        memory_mask: jax.Array | None = None,
        *,
        train: bool,
    ) -> jax.Array:
        """Maps vectors [B, T, D] to [B, T, D].

        Args:
            x: Embedded tokens.
            mask: True where a token may attend to another, broadcast to [B, heads, T, T]:
                `padding_mask`, `causal_mask` or both joined by `&`; None for no mask.
            memory: The other sequence, of S tokens, as `cross_keys_values` projects it.
            memory_mask: True where a token may attend to a token of the other sequence, broadcast
                to [B, heads, T, S].
            train: Whether dropout is on.
        """
        for layer, other in zip(self.layers, self._each(memory), strict=True):
            x = layer(x, mask, other, memory_mask, train=train)
        return self._last(x)

    def step(
        self,
        x: jax.Array,
        position: jax.Array,
        cache: Cache,
        memory: Cache | None = None,
        memory_mask: jax.Array | None = None,
    ) -> tuple[jax.Array, Cache]:
        """Maps one token per sequence as `__call__` under a causal mask does at its position.

        Args:
            x: Embedded tokens [N, 1, D].
            position: Position of these tokens, from 0.
            cache: Keys and values of the earlier tokens.
            memory: As in `__call__`, for B sequences; x holds N / B hypotheses of each, in the same
                order.
            memory_mask: [B, 1, 1, S].

        Returns:
            Vectors [N, 1, D], and the cache including these tokens.
        """
        updated = []
        for layer, own, other in zip(self.layers, cache, self._each(memory), strict=True):
            x, own = layer.step(x, position, own, other, memory_mask)
            updated.append(own)
        return self._last(x), tuple(updated)

    def cross_keys_values(self, memory: jax.Array) -> Cache:
        """Projects the other sequence [B, S, D] for every layer."""
        return tuple(layer.cross_keys_values(memory) for layer in self.layers)

    def empty_cache(self, rows: int, length: int) -> Cache:
        """Returns a cache of zeros for `length` tokens of each of `rows` sequences."""
        block = self.layers[0]
        shape = (rows, length, block.num_heads, block.features // block.num_heads)
        zeros = jnp.zeros(shape, block.dtype)
        return (KeyValues(zeros, zeros),) * self.num_layers

    def _each(self, memory: Cache | None) -> Sequence[KeyValues | None]:
        return [None] * self.num_layers if memory is None else memory

    def _last(self, x: jax.Array) -> jax.Array:
        return self.norm(x) if self.final_norm else x
