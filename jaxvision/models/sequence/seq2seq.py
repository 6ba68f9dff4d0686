"""Translation by recurrent layers that attend to the source.

Neural Machine Translation by Jointly Learning to Align and Translate, Bahdanau et al. 2014,
https://arxiv.org/abs/1409.0473, section 3 and appendix A: a GRU in both directions reads the
source; at each step the decoder weighs its states by v tanh(W s + U h), and a GRU takes their sum
with the token before.

Departs from the paper: PyTorch's GRU, one embedding table for source, target and output, and a
tanh layer in place of maxout before the output. It has the methods of `Transformer`.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.initializers import uniform_bias
from jaxvision.models.sequence.embedding import TokenEmbedding
from jaxvision.models.sequence.recurrent import Cell, Recurrent
from jaxvision.models.variant import fields_of


class Annotations(NamedTuple):
    """What the decoder sees of B sources.

    Attributes:
        values: States of both directions at each token [B, S, 2 * H].
        keys: Their part of the scores, U h [B, S, H].
        valid: False for padding [B, S].
        start: The decoder's first state [B, H].
    """

    values: jax.Array
    keys: jax.Array
    valid: jax.Array
    start: jax.Array


class DecoderStep(nn.Module):
    """One token of the translation.

    Attributes:
        features: H.
        dtype: Of the computation.
    """

    features: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(
        self, state: jax.Array, token: jax.Array, memory: Annotations
    ) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        """Maps the state [N, H] and an embedded token [N, D] to the new state and outputs.

        Returns:
            The state, and with it what the output is computed from [N, 3 * H + D] and the weights
            of the source's tokens [N, S].
        """
        query = nn.Dense(self.features, use_bias=False, dtype=self.dtype, name="query")(state)
        scores = nn.Dense(1, use_bias=False, dtype=self.dtype, name="score")(
            jnp.tanh(query[:, None] + memory.keys)
        )[..., 0]
        scores = jnp.where(memory.valid, scores.astype(jnp.float32), -jnp.inf)
        # A row of padding has no token at all.
        weights = jax.nn.softmax(jnp.where(memory.valid.any(axis=1)[:, None], scores, 0.0))
        context = jnp.einsum("ns,nsc->nc", weights.astype(self.dtype), memory.values)
        init = uniform_bias(self.features)
        x = nn.Dense(
            3 * self.features, kernel_init=init, bias_init=init, dtype=self.dtype, name="input"
        )(jnp.concatenate([token, context], axis=-1))
        cell = Cell("gru", self.features, True, True, init, self.dtype, name="recurrent")
        (state,), _ = cell((state,), (x, None))
        return state, (jnp.concatenate([state, context, token], axis=-1), weights)


class Seq2Seq(nn.Module):
    """From tokens to logits.

    Attributes:
        vocabulary_size: V, of source and target together.
        features: Channels of the embedded tokens and units of each layer, H.
        dropout_rate: Dropout of embedded tokens and before the output.
        pad_id: Padding token.
        dtype: Of the computation; parameters, scores and logits are float32.
    """

    vocabulary_size: int
    features: int = 256
    dropout_rate: float = 0.3
    pad_id: int = 0
    dtype: jnp.dtype = jnp.float32

    # One layer, whose attention has one head.
    num_layers = (1, 1)
    num_heads = 1

    def setup(self) -> None:
        """Builds the layers."""
        self.embedding = TokenEmbedding(
            self.vocabulary_size, self.features, self.dtype, scaled=False, init_scale=0.05
        )
        self.encoder = Recurrent("gru", self.features, bidirectional=True, dtype=self.dtype)
        self.keys = nn.Dense(self.features, use_bias=False, dtype=self.dtype)
        self.start = nn.Dense(self.features, dtype=self.dtype)
        self.decoder = DecoderStep(self.features, self.dtype)
        self.readout = nn.Dense(self.features, dtype=self.dtype)
        self.dropout = nn.Dropout(self.dropout_rate)

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

        Args:
            source: Tokens, padded with `pad_id` at their end.
            target: A start token and the translation without its last token, padded at the end.
            source_segments: None; rows hold one sentence.
            target_segments: None.
            train: Whether dropout is on.

        Raises:
            ValueError: If rows hold several sentences.
        """
        if source_segments is not None or target_segments is not None:
            raise ValueError("data.packing must be False for seq2seq: its rows hold one sentence")
        memory = self.encode(source, train=train)
        tokens = self.dropout(self.embedding(target), deterministic=not train)
        steps = nn.scan(
            lambda decoder, state, token: decoder(state, token, memory),
            variable_broadcast="params",
            split_rngs={"params": False},
            in_axes=1,
            out_axes=1,
        )
        _, (outputs, weights) = steps(self.decoder, memory.start, tokens)
        self.sow("intermediates", "cross_attention", weights[:, None])
        return self._logits(outputs, train=train)

    def encode(self, source: jax.Array, *, train: bool = False) -> Annotations:
        """Maps source tokens [B, S] to what the decoder sees."""
        valid = source != self.pad_id
        x = self.dropout(self.embedding(source), deterministic=not train)
        values, carry = self.encoder(x, valid=valid, train=train)
        # The backward direction ends at the first token.
        start = jnp.tanh(self.start(carry[1][0]))
        return Annotations(values, self.keys(values), valid, start)

    def empty_cache(self, rows: int, length: int) -> jax.Array:
        """Returns the first cache of `step`, which the decoder's first state replaces."""
        del length
        return jnp.zeros((rows, self.features), self.dtype)

    def step(
        self, tokens: jax.Array, position: jax.Array, memory: Annotations, cache: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Decodes one token per sequence.

        Args:
            tokens: Tokens at `position` [N]; a start token at position 0.
            position: Position of these tokens, from 0.
            memory: Of B sources; there are N / B hypotheses of each, in the same order.
            cache: The state after the earlier tokens [N, H].

        Returns:
            Logits of the tokens that follow [N, V], and the new state.
        """
        # A shape, not a quotient: export leaves the number of sources open.
        times = tokens.reshape(memory.valid.shape[0], -1).shape[1]
        memory = Annotations(*(jnp.repeat(x, times, axis=0) for x in memory))
        state = jnp.where(position == 0, memory.start, cache)
        state, (outputs, _) = self.decoder(state, self.embedding(tokens), memory)
        return self._logits(outputs[:, None], train=False)[:, 0], state

    def _logits(self, outputs: jax.Array, *, train: bool) -> jax.Array:
        x = jnp.tanh(self.readout(outputs))
        return self.embedding.logits(self.dropout(x, deterministic=not train))


VARIANTS: dict[str, dict[str, Any]] = {
    "seq2seq": dict(),
    "seq2seq_large": dict(features=1000, dropout_rate=0.2),
}


def seq2seq(variant: str, *, vocabulary_size: int, **overrides: Any) -> Seq2Seq:
    """Builds a network from a row of `VARIANTS`; keywords replace single fields.

    Args:
        variant: A name of `VARIANTS`.
        vocabulary_size: V.
        **overrides: Fields of `Seq2Seq`.

    Raises:
        ValueError: If there is no such variant.
    """
    fields: dict[str, Any] = fields_of(variant, VARIANTS) | dict(vocabulary_size=vocabulary_size)
    return Seq2Seq(**(fields | overrides))
