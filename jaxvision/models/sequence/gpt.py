"""GPT and GPT-2: language models of the Transformer's blocks under a causal mask.

Improving Language Understanding by Generative Pre-Training, Radford et al. 2018, section 4.1, and
Language Models are Unsupervised Multitask Learners, Radford et al. 2019, section 2.3, both at
https://openai.com/research. GPT has its norms after the sublayers and none at the end; GPT-2 has
them before, one more at the end, and initial kernels of the layers that are added to x scaled by
1 / sqrt(2 * layers). Both have learned positions, the tanh form of GELU, and one table for tokens
and logits.

Departs from the papers: all tables and kernels start from N(0, 0.02), where OpenAI's code of GPT-2
has 0.01 for positions. The `tiny` variants are sizes of our own for small texts.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.models.sequence.attention import causal_mask
from jaxvision.models.sequence.embedding import Positions, TokenEmbedding
from jaxvision.models.sequence.stack import Block, Cache, Stack
from jaxvision.models.variant import fields_of

# Section 4.1 of the first paper.
_INIT_SCALE = 0.02


class GPT(nn.Module):
    """From tokens to logits of the tokens that follow.

    Attributes:
        vocabulary_size: V.
        features: D.
        num_heads: Number of heads of each attention.
        num_layers: Number of blocks.
        hidden: Channels inside the feed-forward layers; None: 4 * D.
        max_length: Number of positions.
        pre_norm: Whether norms come before the sublayers and one at the end, as in GPT-2.
        dropout_rate: Dropout of the output of each sublayer, and of embeddings plus positions.
        attention_dropout_rate: Dropout of the attention weights.
        dtype: Type of the computation; parameters, norms, softmax and logits are float32.
    """

    vocabulary_size: int
    features: int = 768
    num_heads: int = 12
    num_layers: int = 12
    hidden: int | None = None
    max_length: int = 1024
    pre_norm: bool = True
    dropout_rate: float = 0.1
    attention_dropout_rate: float = 0.1
    dtype: jnp.dtype = jnp.float32

    def setup(self) -> None:
        """Builds the tables and the stack."""
        self.embedding = TokenEmbedding(
            self.vocabulary_size,
            self.features,
            self.dtype,
            scaled=False,
            init_scale=_INIT_SCALE,
        )
        self.positions = Positions("learned", self.max_length, self.dropout_rate, _INIT_SCALE)
        scale = (2 * self.num_layers) ** -0.5 if self.pre_norm else 1.0
        block = functools.partial(
            Block,
            num_heads=self.num_heads,
            features=self.features,
            hidden=4 * self.features if self.hidden is None else self.hidden,
            cross=False,
            pre_norm=self.pre_norm,
            dropout_rate=self.dropout_rate,
            attention_dropout_rate=self.attention_dropout_rate,
            activation_dropout_rate=0.0,
            attention_bias=True,
            dtype=self.dtype,
            activation=functools.partial(nn.gelu, approximate=True),
            kernel_init=nn.initializers.normal(_INIT_SCALE),
            out_init=nn.initializers.normal(_INIT_SCALE * scale),
        )
        self.stack = Stack(block, self.num_layers, final_norm=self.pre_norm)

    def __call__(self, tokens: jax.Array, *, train: bool) -> jax.Array:
        """Maps tokens [B, T] to logits [B, T, V].

        Raises:
            ValueError: If T is above `max_length`.
        """
        x = self.positions(self.embedding(tokens), train=train)
        x = self.stack(x, causal_mask(tokens.shape[1]), train=train)
        return self.embedding.logits(x)

    def continued(
        self, tokens: jax.Array, carry: tuple[()], *, train: bool
    ) -> tuple[jax.Array, tuple[()]]:
        """Maps tokens [B, T] to logits [B, T, V]; nothing of what came before is carried over."""
        return self(tokens, train=train), carry

    def step(self, tokens: jax.Array, position: jax.Array, cache: Cache) -> tuple[jax.Array, Cache]:
        """Maps one token of each sequence [N] at a position to logits [N, V] and the new cache."""
        length = cache[0].keys.shape[1]
        x = self.embedding(tokens[:, None])
        x = self.positions(x, position[None, None], length=length, train=False)
        x, cache = self.stack.step(x, position, cache)
        return self.embedding.logits(x)[:, 0], cache

    @nn.nowrap
    def empty_carry(self, rows: int) -> tuple[()]:
        """Returns nothing: batches do not continue one another."""
        del rows
        return ()

    def empty_cache(self, rows: int, length: int) -> Cache:
        """Returns the first cache of `step` for `rows` sequences of up to `length` tokens."""
        return self.stack.empty_cache(rows, length)


VARIANTS = {
    "gpt1": dict(max_length=512, pre_norm=False),
    "gpt2": dict(),
    "gpt2_medium": dict(features=1024, num_heads=16, num_layers=24),
    "gpt2_large": dict(features=1280, num_heads=20, num_layers=36),
    "gpt2_xl": dict(features=1600, num_heads=25, num_layers=48),
    "gpt1_tiny": dict(features=128, num_heads=4, num_layers=4, max_length=256, pre_norm=False),
    "gpt2_tiny": dict(features=128, num_heads=4, num_layers=4, max_length=256),
}


def gpt(variant: str, *, vocabulary_size: int, **overrides: Any) -> GPT:
    """Builds a network from a row of `VARIANTS`; keywords replace single fields.

    Args:
        variant: A name of `VARIANTS`.
        vocabulary_size: V.
        **overrides: Fields of `GPT`.

    Raises:
        ValueError: If there is no such variant.
    """
    fields: dict[str, Any] = (
        fields_of(variant, VARIANTS) | dict(vocabulary_size=vocabulary_size) | overrides
    )
    return GPT(**fields)
