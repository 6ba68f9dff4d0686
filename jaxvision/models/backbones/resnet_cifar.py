"""ResNet for CIFAR: 6n + 2 layers on 32 x 32 images.

Deep Residual Learning for Image Recognition, He et al. 2015, https://arxiv.org/abs/1512.03385,
section 4.2, with identity shortcuts throughout (option A).

Departs from the paper: where a shortcut doubles the channels, zeros are added on both sides of the
old ones; the paper does not say where.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import ConvNormAct, Norm
from jaxvision.models.backbones.pooled_classifier import PooledClassifier
from jaxvision.models.variant import fields_of


class CIFARBlock(nn.Module):
    """Two 3 x 3 convolutions, plus identity without parameters.

    Attributes:
        features: Output channels.
        stride: Spatial stride of the block.
        norm: Factory of the normalisation.
        dtype: Of the computation; parameters and statistics are float32.
    """

    features: int
    stride: int = 1
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, ceil(H / stride), ceil(W / stride), features]."""
        conv = functools.partial(
            ConvNormAct,
            norm=self.norm,
            kernel_init=nn.initializers.he_normal(),
            dtype=self.dtype,
        )
        y = conv(self.features, 3, self.stride, name="spatial1")(x, train=train)
        y = conv(self.features, 3, act=None, name="spatial2")(y, train=train)
        missing = self.features - x.shape[-1]
        x = x[:, :: self.stride, :: self.stride]
        x = jnp.pad(x, ((0, 0), (0, 0), (0, 0), (missing // 2, missing - missing // 2)))
        return nn.relu(x + y)


class CIFARResNet(nn.Module):
    """A 3 x 3 stem and three stages of n blocks with 16, 32 and 64 channels.

    Attributes:
        depth: Blocks n of each stage; the network has 6 * n + 2 layers.
        norm: Factory of the normalisation.
        dtype: Of the computation; parameters and statistics are float32.
    """

    depth: int
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps images [B, H, W, 3] to {1, 2, 4: features}."""
        init = nn.initializers.he_normal()
        stem = ConvNormAct(16, 3, norm=self.norm, kernel_init=init, dtype=self.dtype, name="stem")
        x = stem(images.astype(self.dtype), train=train)
        outputs = {}
        for stage in (1, 2, 3):
            for i in range(self.depth):
                x = CIFARBlock(
                    8 * 2**stage,
                    stride=2 if stage > 1 and i == 0 else 1,
                    norm=self.norm,
                    dtype=self.dtype,
                    name=f"stage{stage}_block{i + 1}",
                )(x, train=train)
            outputs[2 ** (stage - 1)] = x
        return outputs


VARIANTS: dict[str, dict[str, Any]] = {
    "resnet20_cifar": dict(depth=3),
    "resnet32_cifar": dict(depth=5),
    "resnet44_cifar": dict(depth=7),
    "resnet56_cifar": dict(depth=9),
    "resnet110_cifar": dict(depth=18),
}


def resnet_cifar(variant: str, **overrides: Any) -> CIFARResNet:
    """Builds a backbone from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return CIFARResNet(**(fields_of(variant, VARIANTS) | overrides))


def resnet_cifar_classifier(
    variant: str, *, num_classes: int = 10, **overrides: Any
) -> PooledClassifier:
    """Builds a classifier around `resnet_cifar(variant, **overrides)`."""
    backbone = resnet_cifar(variant, **overrides)
    return PooledClassifier(backbone, num_classes, kernel_init=nn.initializers.he_normal())
