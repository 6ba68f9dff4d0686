"""Multi-head self-attention for image encoders.

Attention Is All You Need, Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.2. The
projections of queries, keys and values are one layer whose columns are all queries, then all keys,
then all values, each by heads: timm's and torchvision's order.
"""

from typing import Literal, cast

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn


class SelfAttention(nn.Module):
    """Attention of the tokens of a sequence to one another.

    If the collection `intermediates` is mutable, the attention weights are computed separately, in
    float32, and sown as `weights` [B, heads, T, T]; otherwise they cost nothing:

        _, state = model.apply(variables, images, train=False, mutable=["intermediates"])

    Attributes:
        heads: Heads, which share the channels equally.
        implementation: None for XLA's, or "cudnn" for the fused kernel of NVIDIA's GPUs, in
            bfloat16 or float16, which never holds the weights of all pairs at once.
        qkv_init: Initialiser of the kernel of queries, keys and values [D, 3 * D].
        out_init: Initialiser of the kernel of the output [D, D].
        dtype: Of the computation; parameters and the softmax are float32.
    """

    heads: int
    implementation: str | None = None
    qkv_init: jax.nn.initializers.Initializer = nn.initializers.xavier_uniform()
    out_init: jax.nn.initializers.Initializer = nn.initializers.xavier_uniform()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x: jax.Array, *, bias: jax.Array | None = None, mask: jax.Array | None = None
    ) -> jax.Array:
        """Maps tokens [B, T, D] to [B, T, D].

        Args:
            x: Tokens [B, T, D].
            bias: Added to the logits before the softmax, [1 or B, heads, T, T].
            mask: True where a query, the third axis, attends to a key, the fourth:
                [1 or B, 1 or heads, T, T]. A query without any key gets the mean of all values.

        Raises:
            ValueError: If the heads do not divide D, or cuDNN's kernel is requested where it
                cannot run.
        """
        batch, tokens, features = x.shape
        if features % self.heads:
            raise ValueError(
                f"heads must divide the width, got {self.heads} heads and a width of {features}"
            )
        check_implementation(self.implementation, self.dtype, features // self.heads)
        qkv = nn.Dense(3 * features, kernel_init=self.qkv_init, dtype=self.dtype, name="qkv")(x)
        qkv = qkv.reshape(batch, tokens, 3, self.heads, features // self.heads)
        query, key, value = (qkv[:, :, i] for i in range(3))
        if self.is_mutable_collection("intermediates"):
            self.sow("intermediates", "weights", attention_weights(query, key, bias, mask))
        # `check_implementation` has narrowed the name to those of jax.
        implementation = cast(Literal["xla", "cudnn"] | None, self.implementation)
        y = jax.nn.dot_product_attention(
            query, key, value, bias=bias, mask=mask, implementation=implementation
        )
        return nn.Dense(features, kernel_init=self.out_init, dtype=self.dtype, name="out")(
            y.reshape(batch, tokens, features)
        )


def attention_weights(
    query: jax.Array,
    key: jax.Array,
    bias: jax.Array | None = None,
    mask: jax.Array | None = None,
) -> jax.Array:
    """Computes the attention weights of queries and keys (equation 1 of the paper).

    Args:
        query: [B, T, heads, C].
        key: [B, S, heads, C].
        bias: Added to the logits, [1 or B, 1 or heads, T, S].
        mask: True = attend, [1 or B, 1 or heads, T, S].

    Returns:
        Weights [B, heads, T, S] in float32; each row sums to 1.
    """
    logits = jnp.einsum("bthc,bshc->bhts", query, key, preferred_element_type=jnp.float32)
    logits = logits / np.sqrt(query.shape[-1], dtype=np.float32)
    if bias is not None:
        logits = logits + bias
    if mask is not None:
        # Finite, so that a row without any key has no NaN.
        logits = jnp.where(mask, logits, -0.7 * jnp.finfo(jnp.float32).max)
    return jax.nn.softmax(logits)


def check_implementation(implementation: str | None, dtype: jnp.dtype, head_dim: int) -> None:
    """Checks that an implementation of attention can run here.

    Args:
        implementation: None, "xla" or "cudnn".
        dtype: Of queries, keys and values.
        head_dim: Channels of a head.

    Raises:
        ValueError: If it is unknown or cannot run; the message says why.
    """
    if implementation not in (None, "xla", "cudnn"):
        raise ValueError(f'implementation must be None, "xla" or "cudnn", got {implementation}')
    if implementation != "cudnn":
        return
    if jax.default_backend() != "gpu":
        raise ValueError(
            f'implementation="cudnn" needs an NVIDIA GPU, this is a {jax.default_backend()}; '
            "leave it None"
        )
    if jnp.dtype(dtype) not in (jnp.bfloat16, jnp.float16):
        raise ValueError(
            'implementation="cudnn" needs dtype bfloat16 or float16, '
            f"got {jnp.dtype(dtype).name}; leave it None"
        )
    if head_dim % 8:
        raise ValueError(
            'implementation="cudnn" needs heads of a multiple of 8 channels, '
            f"got {head_dim}; leave it None"
        )
