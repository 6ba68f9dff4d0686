"""A classifier of sequences of recurrent layers.

Bidirectional Recurrent Neural Networks, Schuster and Paliwal 1997; the largest value of each unit
over all steps as in Supervised Learning of Universal Sentence Representations, Conneau et al. 2017,
https://arxiv.org/abs/1705.02364, section 3.1.2, or what the layers hold after the last step.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.models.sequence.recurrent import Recurrent
from jaxvision.models.variant import fields_of

POOLS = ("last", "max", "mean")


class RecurrentClassifier(nn.Module):
    """From tokens to logits of the classes of whole sequences.

    Attributes:
        vocabulary_size: V.
        num_classes: K.
        kind: A key of `recurrent.GATES`.
        embedding: Channels of the embedded tokens.
        features: Units of each layer and direction, H.
        num_layers: Number of layers.
        bidirectional: Whether layers also go from the last token to the first.
        pool: `last`, what each direction holds after its last step; `max` or `mean` of each unit
            over the steps.
        dropout_rate: Dropout of the embedded tokens, between layers and before the last one.
        recurrent_bias: Whether each layer has PyTorch's second bias.
        dtype: Type of the computation; parameters and logits are float32.
    """

    vocabulary_size: int
    num_classes: int
    kind: str = "lstm"
    embedding: int = 128
    features: int = 128
    num_layers: int = 1
    bidirectional: bool = False
    pool: str = "last"
    dropout_rate: float = 0.3
    recurrent_bias: bool = True
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, tokens: jax.Array, lengths: jax.Array, *, train: bool) -> jax.Array:
        """Maps tokens [B, T] and how many of each row are real [B] to logits [B, K].

        Raises:
            ValueError: If there is no such `pool`.
        """
        if self.pool not in POOLS:
            raise ValueError(f"pool must be one of {', '.join(POOLS)}, got {self.pool}")
        dropout = nn.Dropout(self.dropout_rate, deterministic=not train)
        x = nn.Embed(
            self.vocabulary_size,
            self.embedding,
            embedding_init=nn.initializers.normal(0.1),
            dtype=self.dtype,
            name="embedding",
        )(tokens)
        valid = jnp.arange(tokens.shape[1])[None] < lengths[:, None]
        outputs, carry = Recurrent(
            self.kind,
            self.features,
            self.num_layers,
            bidirectional=self.bidirectional,
            dropout_rate=self.dropout_rate,
            recurrent_bias=self.recurrent_bias,
            dtype=self.dtype,
            name="rnn",
        )(dropout(x), valid=valid, train=train)
        if self.pool == "last":
            directions = carry[-2:] if self.bidirectional else carry[-1:]
            x = jnp.concatenate([h for h, *_ in directions], axis=-1)
        elif self.pool == "max":
            lowest = jnp.finfo(outputs.dtype).min
            x = jnp.where(valid[..., None], outputs, lowest).max(axis=1)
            x = jnp.where(lengths[:, None] > 0, x, 0)  # rows of padding alone
        else:
            x = outputs.sum(axis=1) / jnp.maximum(lengths, 1)[:, None].astype(outputs.dtype)
        x = nn.Dense(self.num_classes, dtype=self.dtype, name="head")(dropout(x))
        return x.astype(jnp.float32)


VARIANTS = {
    "lstm_text": dict(),
    "bilstm_text": dict(bidirectional=True, pool="max"),
    "gru_text": dict(kind="gru"),
    "rnn_text": dict(kind="rnn_tanh"),
}


def text_classifier(
    variant: str, *, vocabulary_size: int, num_classes: int, **overrides: Any
) -> RecurrentClassifier:
    """Builds a network from a row of `VARIANTS`; keywords replace single fields.

    Args:
        variant: A name of `VARIANTS`.
        vocabulary_size: V.
        num_classes: K.
        **overrides: Fields of `RecurrentClassifier`.

    Raises:
        ValueError: If there is no such variant.
    """
    sizes = dict(vocabulary_size=vocabulary_size, num_classes=num_classes)
    fields: dict[str, Any] = fields_of(variant, VARIANTS) | sizes | overrides
    return RecurrentClassifier(**fields)
