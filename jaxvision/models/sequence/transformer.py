"""Transformer: an encoder and a decoder built of attention.

Attention Is All You Need, Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, figure 1 and table
3. `EncoderDecoder` with final norms equals PyTorch's `nn.Transformer`.

Departs from the paper: The paper does not give LayerNorm's epsilon or the initialisation; here they
are PyTorch's 1e-5, Xavier uniform for kernels and N(0, 1 / D) for embeddings. Options that the
paper does not have: norms before the sublayers, as in the authors' later code, final norms, learned
positions, and dropout of attention weights and inside the feed-forward layers. `tiny` is the model
of Wu et al. 2021, Good for Misconceived Reasons, https://arxiv.org/abs/2105.14462, for datasets as
small as Multi30k.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.models.sequence.attention import causal_mask, padding_mask, segment_mask
from jaxvision.models.sequence.embedding import Positions, TokenEmbedding, segment_positions
from jaxvision.models.sequence.stack import Block, Cache, Stack


class Memory(NamedTuple):
    """The source tokens of B rows, as the decoder attends to them.

    Attributes:
        keys_values: For each layer of the decoder, [B, S, heads, D / heads].
        segments: The sentence of each token in its row, numbered from 1, 0 for padding [B, S];
            bool where each row holds one sentence.
    """

    keys_values: Cache
    segments: jax.Array


class EncoderDecoder(nn.Module):
    """An encoder stack and a decoder stack, from vectors to vectors.

    Attributes:
        features: D.
        hidden: Channels inside the feed-forward layers.
        num_heads: Number of heads of each attention.
        num_layers: Number of blocks of the encoder and of the decoder.
        pre_norm: Whether norms come before the sublayers.
        final_norm: Whether the output of each stack is normalised.
        dropout_rate: Dropout of the output of each sublayer.
        attention_dropout_rate: Dropout of the attention weights.
        activation_dropout_rate: Dropout inside the feed-forward layers.
        attention_bias: Whether the projections of attention have a bias.
        dtype: Type of the computation; parameters, norms and softmax are float32.
    """

    features: int
    hidden: int
    num_heads: int
    num_layers: tuple[int, int]
    pre_norm: bool = False
    final_norm: bool = True
    dropout_rate: float = 0.1
    attention_dropout_rate: float = 0.0
    activation_dropout_rate: float = 0.0
    attention_bias: bool = True
    dtype: jnp.dtype = jnp.float32

    def setup(self) -> None:
        """Builds the two stacks."""
        block = functools.partial(
            Block,
            features=self.features,
            hidden=self.hidden,
            num_heads=self.num_heads,
            pre_norm=self.pre_norm,
            dropout_rate=self.dropout_rate,
            attention_dropout_rate=self.attention_dropout_rate,
            activation_dropout_rate=self.activation_dropout_rate,
            attention_bias=self.attention_bias,
            dtype=self.dtype,
        )
        encoder_layers, decoder_layers = self.num_layers
        self.encoder = Stack(functools.partial(block, cross=False), encoder_layers, self.final_norm)
        self.decoder = Stack(functools.partial(block, cross=True), decoder_layers, self.final_norm)

    def __call__(
        self,
        source: jax.Array,
        target: jax.Array,
        source_valid: jax.Array,
        target_valid: jax.Array,
        *,
        train: bool,
    ) -> jax.Array:
        """Maps vectors [B, S, D] and [B, T, D] to the output of the decoder [B, T, D].

        Args:
            source: Vectors of the source tokens.
            target: Vectors of the target tokens; each attends to itself and the earlier ones.
            source_valid: False for padding [B, S].
            target_valid: False for padding [B, T].
            train: Whether dropout is on.
        """
        memory_mask = padding_mask(source_valid)
        memory = self.encode(source, memory_mask, train=train)
        mask = causal_mask(target.shape[1]) & padding_mask(target_valid)
        return self.decoder(target, mask, memory, memory_mask, train=train)

    def encode(self, source: jax.Array, mask: jax.Array, *, train: bool) -> Cache:
        """Maps vectors [B, S, D], with a mask as in `Stack`, to the memory of the decoder."""
        return self.decoder.cross_keys_values(self.encoder(source, mask, train=train))


class Transformer(nn.Module):
    """From tokens to logits, with one embedding table for source, target and output (section 3.4).

    Attributes:
        vocabulary_size: V, of source and target together.
        features: D.
        hidden: Channels inside the feed-forward layers.
        num_heads: Number of heads of each attention.
        num_layers: Number of blocks of the encoder and of the decoder.
        positions: `sinusoidal` or `learned`.
        max_length: Number of learned positions.
        pre_norm: Whether norms come before the sublayers.
        final_norm: Whether the output of each stack is normalised; None: only with `pre_norm`.
        dropout_rate: Dropout of the output of each sublayer, and of embeddings plus positions.
        attention_dropout_rate: Dropout of the attention weights.
        activation_dropout_rate: Dropout inside the feed-forward layers.
        attention_bias: Whether the projections of attention have a bias.
        pad_id: Padding token.
        dtype: Type of the computation; parameters, norms, softmax and logits are float32.
    """

    vocabulary_size: int
    features: int = 512
    hidden: int = 2048
    num_heads: int = 8
    num_layers: tuple[int, int] = (6, 6)
    positions: str = "sinusoidal"
    max_length: int = 256
    pre_norm: bool = False
    final_norm: bool | None = None
    dropout_rate: float = 0.1
    attention_dropout_rate: float = 0.0
    activation_dropout_rate: float = 0.0
    attention_bias: bool = True
    pad_id: int = 0
    dtype: jnp.dtype = jnp.float32

    def setup(self) -> None:
        """Builds the table, the positions and the stacks."""
        positions = functools.partial(Positions, self.positions, self.max_length, self.dropout_rate)
        self.embedding = TokenEmbedding(self.vocabulary_size, self.features, self.dtype)
        self.source_positions = positions()
        self.target_positions = positions()
        self.stacks = EncoderDecoder(
            self.features,
            self.hidden,
            self.num_heads,
            self.num_layers,
            self.pre_norm,
            self.pre_norm if self.final_norm is None else self.final_norm,
            self.dropout_rate,
            self.attention_dropout_rate,
            self.activation_dropout_rate,
            self.attention_bias,
            self.dtype,
        )

    def __call__(
        self,
        source: jax.Array,
        target: jax.Array,
        source_segments: jax.Array | None = None,
        target_segments: jax.Array | None = None,
        *,
        train: bool,
    ) -> jax.Array:
        """Maps source [B, S] and target tokens [B, T] to logits [B, T, V] of what follows.

        In packed rows, segments give the pair that each token belongs to: tokens attend to their
        own pair only, and the result is as if each pair had its own row.

        Args:
            source: Tokens, padded with `pad_id` at their end.
            target: A start token and the translation without its last token, padded at the end.
            source_segments: Pair of each token in its row, numbered from 1 in order, 0 for padding
                [B, S] int32; None where each row holds one pair.
            target_segments: The same for the target [B, T].
            train: Whether dropout is on.
        """
        memory = self.encode(source, source_segments, train=train)
        return self.decode(target, memory, target_segments, train=train)

    def encode(
        self, source: jax.Array, segments: jax.Array | None = None, *, train: bool = False
    ) -> Memory:
        """Maps source tokens [B, S] to the memory that the decoder attends to."""
        if segments is None:
            positions, segments = None, source != self.pad_id
            mask = padding_mask(segments)
        else:
            positions, mask = segment_positions(segments), segment_mask(segments, segments)
        x = self.source_positions(self.embedding(source), positions, train=train)
        return Memory(self.stacks.encode(x, mask, train=train), segments)

    def decode(
        self,
        target: jax.Array,
        memory: Memory,
        segments: jax.Array | None = None,
        *,
        train: bool = False,
    ) -> jax.Array:
        """Maps target tokens [B, T] to logits [B, T, V] of the tokens that follow."""
        # Padding is at the end, so the causal mask hides it from all other tokens.
        mask = causal_mask(target.shape[1])
        if segments is None:
            positions, memory_mask = None, padding_mask(memory.segments)
        else:
            positions, mask = segment_positions(segments), mask & segment_mask(segments, segments)
            memory_mask = segment_mask(segments, memory.segments)
        x = self.target_positions(self.embedding(target), positions, train=train)
        x = self.stacks.decoder(x, mask, memory.keys_values, memory_mask, train=train)
        return self.embedding.logits(x)

    def empty_cache(self, rows: int, length: int) -> Cache:
        """Returns the first cache of `step` for `rows` sequences of up to `length` tokens."""
        return self.stacks.decoder.empty_cache(rows, length)

    def step(
        self, tokens: jax.Array, position: jax.Array, memory: Memory, cache: Cache
    ) -> tuple[jax.Array, Cache]:
        """Decodes one token per sequence.

        Args:
            tokens: Tokens at `position` [N]; a start token at position 0.
            position: Position of these tokens, from 0, below the length of the cache.
            memory: Memory of B sources; there are N / B hypotheses of each, in the same order.
            cache: Keys and values of the earlier tokens.

        Returns:
            Logits of the tokens that follow [N, V], and the cache including these tokens.
        """
        length = cache[0].keys.shape[1]
        x = self.embedding(tokens[:, None])
        x = self.target_positions(x, position[None, None], length=length, train=False)
        mask = padding_mask(memory.segments)
        x, cache = self.stacks.decoder.step(x, position, cache, memory.keys_values, mask)
        return self.embedding.logits(x)[:, 0], cache


VARIANTS = {
    "transformer_tiny": dict(
        features=128, hidden=256, num_heads=4, num_layers=(4, 4), dropout_rate=0.3
    ),
    "transformer_base": dict(),
    "transformer_big": dict(features=1024, hidden=4096, num_heads=16, dropout_rate=0.3),
}


def transformer(variant: str, *, vocabulary_size: int, **overrides: object) -> Transformer:
    """Builds a network from a row of `VARIANTS`; keywords replace single fields.

    Args:
        variant: A name of `VARIANTS`, with or without `transformer_`.
        vocabulary_size: V.
        **overrides: Fields of `Transformer`.

    Raises:
        ValueError: If there is no such variant.
    """
    name = variant if variant.startswith("transformer_") else f"transformer_{variant}"
    if name not in VARIANTS:
        raise ValueError(f"variant must be one of {', '.join(VARIANTS)}, got {variant}")
    return Transformer(**(dict(vocabulary_size=vocabulary_size) | VARIANTS[name] | overrides))
