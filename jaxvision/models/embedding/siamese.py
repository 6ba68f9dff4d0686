"""A Siamese network: the same encoder for two images, and a weighted L1 distance.

Siamese Neural Networks for One-shot Image Recognition, Koch et al. 2015,
https://www.cs.cmu.edu/~rsalakhu/papers/oneshot1.pdf, figure 4 and section 3.

Departs from the paper: layers have no L2 penalty, momentum and learning rate of their own, and
initial values but for the first and the score's are smaller or those of He et al. 2015.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.convolution import Conv
from jaxvision.layers.pooling import max_pool
from jaxvision.models.variant import fields_of


class Siamese(nn.Module):
    """Four convolutions of 10, 7, 4 and 4 pixels, a sigmoid layer, and the distance's weights.

    Attributes:
        widths: Channels of the convolutions; but for the last, each is pooled.
        kernels: Sides of their filters; there is no padding.
        embedding: Units of the sigmoid layer.
        dtype: Of the computation; parameters are float32.
    """

    widths: tuple[int, ...] = (64, 128, 128, 256)
    kernels: tuple[int, ...] = (10, 7, 4, 4)
    embedding: int = 4096
    dtype: jnp.dtype = jnp.float32

    def setup(self) -> None:
        """Makes the layers, which both images share."""
        small = nn.initializers.normal(0.01)
        for i, (width, kernel) in enumerate(zip(self.widths, self.kernels, strict=True), start=1):
            conv = Conv(
                width,
                (kernel, kernel),
                padding="VALID",
                kernel_init=small if i == 1 else nn.initializers.he_normal(),
                bias_init=nn.initializers.constant(0.5),
                dtype=self.dtype,
            )
            setattr(self, f"conv{i}", conv)
        self.dense = nn.Dense(self.embedding, kernel_init=small, dtype=self.dtype)
        self.score = nn.Dense(1, kernel_init=nn.initializers.normal(0.2))

    def __call__(self, pairs: jax.Array, *, train: bool) -> jax.Array:
        """Maps pairs of images [B, 2, H, W, C] to logits [B] of showing the same class."""
        first, second = (self.embed(pairs[:, i], train=train) for i in range(2))
        return self.compare(first, second)

    def embed(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps images [B, H, W, C] to embeddings [B, D] in (0, 1), float32."""
        del train
        x = images.astype(self.dtype)
        for i in range(1, len(self.widths) + 1):
            x = nn.relu(getattr(self, f"conv{i}")(x))
            if i < len(self.widths):
                x = max_pool(x, window=2, stride=2)
        return nn.sigmoid(self.dense(x.reshape(x.shape[0], -1)).astype(jnp.float32))

    def compare(self, first: jax.Array, second: jax.Array) -> jax.Array:
        """Maps embeddings [..., D] of two images to the logit [...] of showing the same class."""
        return self.score(jnp.abs(first - second))[..., 0]


VARIANTS: dict[str, dict[str, Any]] = {"siamese_koch": dict()}


def siamese(variant: str, **overrides: Any) -> Siamese:
    """Builds a network from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return Siamese(**(fields_of(variant, VARIANTS) | overrides))
