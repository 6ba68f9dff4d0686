"""DenseNet-BC: every layer sees the features of all layers before it in its block.

Densely Connected Convolutional Networks, Huang et al. 2016, https://arxiv.org/abs/1608.06993,
table 1 for ImageNet, section 3 and table 2 for CIFAR. The ImageNet networks are equal to
torchvision's.

Departs from the paper:
    The CIFAR network takes images of any size; its blocks are at strides 1, 2 and 4.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import ConvNormAct, Norm
from jaxvision.layers.convolution import Conv
from jaxvision.layers.initializers import torch_uniform
from jaxvision.layers.pooling import avg_pool, max_pool
from jaxvision.models.backbones.pooled_classifier import PooledClassifier
from jaxvision.models.variant import fields_of

# Normal as in PyTorch; jax.nn.initializers.he_normal is truncated.
he_normal = nn.initializers.variance_scaling(2.0, "fan_in", "normal")


class NormActConv(nn.Module):
    """Norm, ReLU and a k x k convolution without bias, padded by k // 2 on each side.

    Attributes:
        features: Output channels.
        kernel_size: Side of the filter, odd.
        norm: Factory of the normalisation.
        dtype: Of the computation.
    """

    features: int
    kernel_size: int
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, H, W, features]."""
        x = nn.relu(self.norm(dtype=self.dtype, name="norm")(x, train=train))
        return Conv(
            self.features,
            (self.kernel_size, self.kernel_size),
            padding=self.kernel_size // 2,
            use_bias=False,
            kernel_init=he_normal,
            dtype=self.dtype,
            name="conv",
        )(x)


class DenseLayer(nn.Module):
    """1 x 1 to four times the growth, 3 x 3 to the growth, joined to the input.

    Attributes:
        growth: Channels that the layer adds, k.
        dropout: Fraction of the added features dropped in training.
        norm: Factory of the normalisation.
        dtype: Of the computation.
    """

    growth: int
    dropout: float = 0.0
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, H, W, C + growth]."""
        conv = functools.partial(NormActConv, norm=self.norm, dtype=self.dtype)
        y = conv(4 * self.growth, 1, name="reduce")(x, train=train)
        y = conv(self.growth, 3, name="spatial")(y, train=train)
        y = nn.Dropout(self.dropout, deterministic=not train)(y)
        return jnp.concatenate([x, y], axis=-1)


class DenseNet(nn.Module):
    """A stem and dense blocks, between which channels and sides are halved.

    Attributes:
        depths: Layers of the blocks.
        growth: Channels that each layer adds, k.
        stem_features: Channels of the stem.
        stem_stride: 4 for a 7 x 7 convolution and max pooling, 1 for a 3 x 3 convolution that the
            first block's norm follows directly.
        dropout: Fraction of each layer's features dropped in training: 0.2 on CIFAR and SVHN
            without augmentation.
        norm: Factory of the normalisation.
        dtype: Of the computation; parameters and statistics are float32.
    """

    depths: tuple[int, ...]
    growth: int = 32
    stem_features: int = 64
    stem_stride: int = 4
    dropout: float = 0.0
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps images [B, H, W, 3] to {stride: features}, the stem and one entry a block.

        Strides are 2, 4, 8, 16 and 32 on ImageNet, 1, 2 and 4 on CIFAR. Sides are rounded up at
        strides 2 and 4 of ImageNet's stem, down between blocks. The features of blocks but the
        last are before the norm and ReLU with which the next layer begins.

        Raises:
            ValueError: If the stem's stride is neither 1 nor 4, or an image is so small that a
                block is left without pixels.
        """
        if self.stem_stride not in (1, 4):
            raise ValueError(f"stem_stride must be 1 or 4, got {self.stem_stride}")
        smallest = self.stem_stride * 2 ** (len(self.depths) - 1) - self.stem_stride + 1
        if min(images.shape[1:3]) < smallest:
            raise ValueError(f"images must be at least {smallest} pixels, got {images.shape[1:3]}")

        x = images.astype(self.dtype)
        outputs = {}
        if self.stem_stride == 4:
            stem = ConvNormAct(
                self.stem_features,
                7,
                2,
                norm=self.norm,
                kernel_init=he_normal,
                dtype=self.dtype,
                name="stem",
            )
            outputs[2] = stem(x, train=train)
            x = max_pool(outputs[2], window=3, stride=2, padding=1)
        else:
            x = Conv(
                self.stem_features,
                (3, 3),
                padding=1,
                use_bias=False,
                kernel_init=he_normal,
                dtype=self.dtype,
                name="stem",
            )(x)

        stride = self.stem_stride
        for block, depth in enumerate(self.depths, start=1):
            if block > 1:
                name = f"transition{block - 1}"
                halve = NormActConv(x.shape[-1] // 2, 1, self.norm, self.dtype, name=name)
                x = halve(x, train=train)
                x = avg_pool(x, window=2, stride=2)
                stride *= 2
            for i in range(depth):
                layer = DenseLayer(
                    self.growth,
                    self.dropout,
                    self.norm,
                    self.dtype,
                    name=f"block{block}_layer{i + 1}",
                )
                x = layer(x, train=train)
            outputs[stride] = x
        outputs[stride] = nn.relu(self.norm(dtype=self.dtype, name="norm")(x, train=train))
        return outputs


VARIANTS: dict[str, dict[str, Any]] = {
    "densenet121": dict(depths=(6, 12, 24, 16)),
    "densenet161": dict(depths=(6, 12, 36, 24), growth=48, stem_features=96),
    "densenet169": dict(depths=(6, 12, 32, 32)),
    "densenet201": dict(depths=(6, 12, 48, 32)),
    "densenet_bc_100_12": dict(depths=(16, 16, 16), growth=12, stem_features=24, stem_stride=1),
}


def densenet(variant: str, **overrides: Any) -> DenseNet:
    """Builds a backbone from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return DenseNet(**(fields_of(variant, VARIANTS) | overrides))


def densenet_classifier(
    variant: str, *, num_classes: int | None = None, **overrides: Any
) -> PooledClassifier:
    """Builds a classifier on `densenet(variant, **overrides)`.

    Args:
        variant: A name of `VARIANTS`.
        num_classes: K, by default 1000, and 10 for CIFAR's.
        **overrides: Fields of `DenseNet`.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    backbone = densenet(variant, **overrides)
    if num_classes is None:
        num_classes = 1000 if backbone.stem_stride == 4 else 10
    return PooledClassifier(backbone, num_classes, kernel_init=torch_uniform())
