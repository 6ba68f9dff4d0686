"""Embeddings of tokens and positions (Vaswani et al. 2017, sections 3.4 and 3.5)."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

POSITIONS = ("sinusoidal", "learned")


def sinusoidal_positions(length: int, features: int) -> np.ndarray:
    """Computes the position encoding of section 3.5: sine in even channels, cosine in odd ones.

    Other implementations put all sines before all cosines. Their networks are equivalent up to the
    order of channels, but weights cannot be exchanged.

    Args:
        length: T.
        features: D, even.

    Returns:
        Encodings [T, D] float32: sin(t / 10000^(2 i / D)) in channel 2 i, the cosine in 2 i + 1.

    Raises:
        ValueError: If D is odd.
    """
    if features % 2:
        raise ValueError(f"features must be even for sinusoidal positions, got {features}")
    frequency = 10_000.0 ** (-np.arange(0, features, 2) / features)
    angle = np.arange(length)[:, None] * frequency[None]
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(length, -1).astype(np.float32)


def segment_positions(segments: jax.Array) -> jax.Array:
    """Returns the position of each token in its segment, from 0, for segments [B, T]."""
    place = jnp.arange(segments.shape[1])[None]
    starts = jnp.pad(segments[:, 1:] != segments[:, :-1], ((0, 0), (1, 0)), constant_values=True)
    return place - jax.lax.cummax(jnp.where(starts, place, 0), axis=1)


class TokenEmbedding(nn.Module):
    """An embedding table, also used as output layer (Press and Wolf 2016).

    Attributes:
        vocabulary_size: V.
        features: D.
        dtype: Type of the computation; the table and the logits are float32.
        scaled: Whether the vectors are those of the table times sqrt(D).
        init_scale: Standard deviation of the table at the start, by default 1 / sqrt(D).
    """

    vocabulary_size: int
    features: int
    dtype: jnp.dtype = jnp.float32
    scaled: bool = True
    init_scale: float | None = None

    def setup(self) -> None:
        """Builds the table."""
        # Times sqrt(D), the vectors have unit variance at the start; so have the logits.
        normal = nn.initializers.normal(self.init_scale or self.features**-0.5)
        self.embedding = self.param("embedding", normal, (self.vocabulary_size, self.features))

    def __call__(self, tokens: jax.Array) -> jax.Array:
        """Maps tokens [B, T] to vectors [B, T, D]."""
        vectors = jnp.take(self.embedding, tokens, axis=0)
        return (vectors * (self.features**0.5 if self.scaled else 1)).astype(self.dtype)

    def logits(self, x: jax.Array) -> jax.Array:
        """Maps [B, T, D] to logits [B, T, V] float32."""
        table = self.embedding.astype(self.dtype)
        return jnp.einsum("btd,vd->btv", x, table, preferred_element_type=jnp.float32)


class Positions(nn.Module):
    """Adds position encodings, then applies dropout.

    Attributes:
        kind: `sinusoidal` or `learned`.
        max_length: Number of learned positions.
        dropout_rate: Dropout of the sums.
        init_scale: Standard deviation of learned positions at the start, by default 1 / sqrt(D).
    """

    kind: str
    max_length: int
    dropout_rate: float
    init_scale: float | None = None

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        positions: jax.Array | None = None,
        *,
        length: int | None = None,
        train: bool,
    ) -> jax.Array:
        """Maps vectors [B, T, D] to [B, T, D].

        Args:
            x: Vectors of tokens.
            positions: Position of each token [B, T], or [1, T] if the same in all rows; from 0 by
                default.
            length: Upper limit of the positions, T by default.
            train: Whether dropout is on.

        Raises:
            ValueError: If there is no such kind, or more positions than are learned.
        """
        tokens, features = x.shape[1:]
        length = length or tokens
        if self.kind not in POSITIONS:
            raise ValueError(f"positions must be one of {', '.join(POSITIONS)}, got {self.kind}")
        if self.kind == "sinusoidal":
            table = jnp.asarray(sinusoidal_positions(length, features))
        elif length > self.max_length:
            raise ValueError(
                f"sequences must be at most max_length {self.max_length} long for learned "
                f"positions, got {length}"
            )
        else:
            normal = nn.initializers.normal(self.init_scale or features**-0.5)
            table = self.param("positions", normal, (self.max_length, features))
        codes = table[None, :tokens] if positions is None else jnp.take(table, positions, axis=0)
        x = x + codes.astype(x.dtype)
        return nn.Dropout(self.dropout_rate)(x, deterministic=not train)
