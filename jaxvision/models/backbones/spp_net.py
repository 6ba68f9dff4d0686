"""SPP-Net as a classifier of images of any size: pyramids of bins ahead of the dense layers.

Spatial Pyramid Pooling in Deep Convolutional Networks, He et al. 2014,
https://arxiv.org/abs/1406.4729, section 2.2 and figure 3, on ZFNet's convolutions.
Departs from the paper: bins are those of adaptive pooling, also where a map is not a multiple of
them.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.pooling import adaptive_max_pool
from jaxvision.models.backbones.zfnet import ZFNet, zfnet
from jaxvision.models.variant import fields_of


class SPPNetClassifier(nn.Module):
    """Convolutions, maxima over pyramids of bins, three dense layers.

    Attributes:
        backbone: Network from images to {stride: features}.
        num_classes: K.
        bins: Rows, and columns, of the bins of each level: 50 in all.
        hidden: Units of each hidden layer.
        dropout: Probability of zeroing a hidden unit in training.
    """

    backbone: ZFNet
    num_classes: int = 1000
    bins: tuple[int, ...] = (6, 3, 2, 1)
    hidden: int = 4096
    dropout: float = 0.5

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps images [B, H, W, 3] of any size to logits [B, K] in float32."""
        features = self.backbone(images, train=train)[16]
        levels = [adaptive_max_pool(features, bins, bins) for bins in self.bins]
        x = jnp.concatenate([level.reshape(len(images), -1) for level in levels], axis=1)
        init = nn.initializers.normal(0.01)
        for name in ("fc6", "fc7"):
            x = nn.Dense(self.hidden, kernel_init=init, dtype=self.backbone.dtype, name=name)(x)
            drop = nn.Dropout(self.dropout, deterministic=not train, name=f"{name}_dropout")
            x = drop(nn.relu(x))
        return nn.Dense(self.num_classes, kernel_init=init, dtype=jnp.float32, name="head")(x)


# Of the backbone.
VARIANTS: dict[str, dict[str, Any]] = {"zf5_spp": dict(variant="zfnet")}


def spp_net_backbone(variant: str, **overrides: Any) -> ZFNet:
    """Builds the convolutions of a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return zfnet(**(fields_of(variant, VARIANTS) | overrides))


def spp_net_classifier(
    variant: str,
    *,
    num_classes: int = 1000,
    hidden: int = 4096,
    dropout: float = 0.5,
    **overrides: Any,
) -> SPPNetClassifier:
    """Builds a classifier around `spp_net_backbone(variant, **overrides)`."""
    backbone = spp_net_backbone(variant, **overrides)
    return SPPNetClassifier(backbone, num_classes, hidden=hidden, dropout=dropout)
