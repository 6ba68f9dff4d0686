"""The classifier of most backbones: global average pooling and one linear layer."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn


class PooledClassifier(nn.Module):
    """Averages the backbone's last map over its pixels and frames, dropout and a linear layer.

    Attributes:
        backbone: Maps images or clips to {stride: features}.
        num_classes: K.
        dropout: Fraction of pooled features dropped in training, drawn from the rng `dropout`.
        kernel_init: Initialiser of the linear layer.
        bias_init: Initialiser of its bias.
    """

    backbone: nn.Module
    num_classes: int
    dropout: float = 0.0
    kernel_init: jax.nn.initializers.Initializer = nn.initializers.normal(0.01)
    bias_init: Callable[..., jax.Array] = nn.initializers.zeros

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps images [B, H, W, 3], or clips [B, T, H, W, 3], to logits [B, K] in float32."""
        features = self.backbone(images, train=train)
        x = features[max(features)].astype(jnp.float32)
        x = x.mean(tuple(range(1, x.ndim - 1)))
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(
            self.num_classes,
            kernel_init=self.kernel_init,
            bias_init=self.bias_init,
            name="head",
        )(x)
