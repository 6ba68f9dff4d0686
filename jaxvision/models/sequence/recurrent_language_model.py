"""A language model of recurrent layers.

Recurrent Neural Network Regularization, Zaremba et al. 2014, https://arxiv.org/abs/1409.2329:
dropout on the embedded tokens, between the layers and on their outputs, never on what a layer
carries from step to step.

Departs from the paper: the kernels of its LSTM have one bias; `recurrent_bias` adds PyTorch's
second one. The GRU and the RNN are sizes of our own for comparison.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.initializers import uniform
from jaxvision.models.sequence.recurrent import Carry, Recurrent, empty_carry
from jaxvision.models.variant import fields_of


class RecurrentLanguageModel(nn.Module):
    """From tokens to logits of the tokens that follow.

    Attributes:
        vocabulary_size: V.
        kind: A key of `recurrent.GATES`.
        features: Channels of the embedded tokens and units of each layer, H.
        num_layers: Number of layers.
        dropout_rate: Dropout of the connections that are not recurrent.
        init_scale: All parameters start from U(-init_scale, init_scale).
        recurrent_bias: Whether each layer has PyTorch's second bias.
        dtype: Type of the computation; parameters and logits are float32.
    """

    vocabulary_size: int
    kind: str = "lstm"
    features: int = 200
    num_layers: int = 2
    dropout_rate: float = 0.0
    init_scale: float = 0.1
    recurrent_bias: bool = False
    dtype: jnp.dtype = jnp.float32

    def setup(self) -> None:
        """Builds the layers."""
        init = uniform(self.init_scale)
        self.embedding = nn.Embed(
            self.vocabulary_size, self.features, embedding_init=init, dtype=self.dtype
        )
        self.rnn = Recurrent(
            self.kind,
            self.features,
            self.num_layers,
            dropout_rate=self.dropout_rate,
            recurrent_bias=self.recurrent_bias,
            initializer=init,
            dtype=self.dtype,
        )
        self.decoder = nn.Dense(
            self.vocabulary_size, kernel_init=init, bias_init=init, dtype=self.dtype
        )
        self.dropout = nn.Dropout(self.dropout_rate)

    def __call__(self, tokens: jax.Array, *, train: bool) -> jax.Array:
        """Maps tokens [B, T] to logits [B, T, V], from a carry of zeros."""
        return self.continued(tokens, self.empty_carry(tokens.shape[0]), train=train)[0]

    def continued(self, tokens: jax.Array, carry: Carry, *, train: bool) -> tuple[jax.Array, Carry]:
        """Maps tokens [B, T] that follow others to logits [B, T, V] and the new carry."""
        x = self.dropout(self.embedding(tokens), deterministic=not train)
        x, carry = self.rnn(x, carry, train=train)
        x = self.decoder(self.dropout(x, deterministic=not train))
        return x.astype(jnp.float32), carry

    def step(self, tokens: jax.Array, position: jax.Array, cache: Carry) -> tuple[jax.Array, Carry]:
        """Maps one token of each sequence [N] to logits [N, V]; any position will do."""
        del position
        logits, cache = self.continued(tokens[:, None], cache, train=False)
        return logits[:, 0], cache

    @nn.nowrap
    def empty_carry(self, rows: int) -> Carry:
        """Returns the carry of `rows` sequences before their first token."""
        return empty_carry(self.kind, self.features, self.num_layers, rows, self.dtype)

    @nn.nowrap
    def empty_cache(self, rows: int, length: int) -> Carry:
        """Returns the first cache of `step`, whose size does not depend on the length."""
        del length
        return self.empty_carry(rows)


VARIANTS = {
    # Section 4.1 of the paper: small is not regularised, the other two are by dropout.
    "lstm_lm": dict(),
    "lstm_lm_medium": dict(features=650, dropout_rate=0.5, init_scale=0.05),
    "lstm_lm_large": dict(features=1500, dropout_rate=0.65, init_scale=0.04),
    "gru_lm": dict(kind="gru", recurrent_bias=True),
    "rnn_lm": dict(kind="rnn_tanh"),
}


def recurrent_language_model(
    variant: str, *, vocabulary_size: int, **overrides: Any
) -> RecurrentLanguageModel:
    """Builds a network from a row of `VARIANTS`; keywords replace single fields.

    Args:
        variant: A name of `VARIANTS`.
        vocabulary_size: V.
        **overrides: Fields of `RecurrentLanguageModel`.

    Raises:
        ValueError: If there is no such variant.
    """
    fields: dict[str, Any] = (
        fields_of(variant, VARIANTS) | dict(vocabulary_size=vocabulary_size) | overrides
    )
    return RecurrentLanguageModel(**fields)
