"""Network in Network: convolutions followed by 1 x 1 convolutions, and no dense layer.

Network In Network, Lin et al. 2013, https://arxiv.org/abs/1312.4400, section 3; widths, strides and
pools are those of the authors' CIFAR-10 and ImageNet models; the paper does not state them.

Departs from the paper: initial weights are He et al.'s, in the paper they are chosen by hand.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.convolution import Conv
from jaxvision.layers.pooling import avg_pool, max_pool
from jaxvision.models.variant import fields_of

Widths = tuple[int, int, int]


class MLPConv(nn.Module):
    """A k x k convolution and two of 1 x 1, each with a ReLU (equation 2).

    Attributes:
        widths: Channels of the three.
        kernel_size: Side k of the first filter.
        stride: Of the first convolution.
        padding: Of the first convolution, on each side.
        dtype: Of the computation; parameters are float32.
    """

    widths: Widths
    kernel_size: int
    stride: int = 1
    padding: int = 0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [B, H, W, C] to [B, H / stride, W / stride, widths[-1]]."""
        for i, features in enumerate(self.widths):
            first = i == 0
            side, stride = (self.kernel_size, self.stride) if first else (1, 1)
            x = Conv(
                features,
                (side, side),
                strides=(stride, stride),
                padding=self.padding if first else 0,
                kernel_init=nn.initializers.he_normal(),
                dtype=self.dtype,
                name="spatial" if first else f"mlp{i}",
            )(x)
            x = nn.relu(x)
        return x


class NiN(nn.Module):
    """All mlpconv blocks but the last, each followed by a pool over 3 x 3 at stride 2.

    Attributes:
        blocks: Channels of each block.
        kernel_sizes: Side of each block's filters.
        last_width: Channels of the hidden layers of the classifier's block.
        stem_stride: Stride of the first convolution; above 1, the image is not padded.
        average_last: Whether the last pool takes means instead of maxima.
        dropout: Probability of zeroing a value between blocks in training.
        dtype: Of the computation; parameters are float32.
    """

    blocks: tuple[Widths, ...]
    kernel_sizes: tuple[int, ...]
    last_width: int
    stem_stride: int = 1
    average_last: bool = False
    dropout: float = 0.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps images [B, H, W, 3] to {stride: of each block, and the last pool's}."""
        x, stride, outputs = images.astype(self.dtype), self.stem_stride, {}
        for i, (widths, kernel) in enumerate(zip(self.blocks, self.kernel_sizes, strict=True)):
            x = MLPConv(
                widths,
                kernel,
                stride=self.stem_stride if i == 0 else 1,
                padding=0 if i == 0 and self.stem_stride > 1 else kernel // 2,
                dtype=self.dtype,
                name=f"block{i + 1}",
            )(x)
            outputs[stride] = x
            last = i == len(self.blocks) - 1
            pool = avg_pool if last and self.average_last else max_pool
            x = pool(x, window=3, stride=2, ceil_mode=True)
            stride *= 2
            if not last:
                drop = nn.Dropout(self.dropout, deterministic=not train, name=f"dropout{i + 1}")
                x = drop(x)
        outputs[stride] = x
        return outputs


class NiNClassifier(nn.Module):
    """NiN with its last block, which has one map for each class; its mean is the logit.

    Attributes:
        backbone: Network from images to {stride: features}.
        num_classes: K.
        dropout: Probability of zeroing an input of the last block in training.
    """

    backbone: NiN
    num_classes: int
    dropout: float = 0.5

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps images [B, H, W, 3] to logits [B, K] in float32."""
        features = self.backbone(images, train=train)
        x = features[max(features)]
        x = nn.Dropout(self.dropout, deterministic=not train, name="dropout")(x)
        width = self.backbone.last_width
        x = MLPConv(
            (width, width, self.num_classes), 3, padding=1, dtype=self.backbone.dtype, name="head"
        )(x)
        return x.astype(jnp.float32).mean((1, 2))


VARIANTS: dict[str, dict[str, Any]] = {
    "nin_cifar10": dict(
        blocks=((192, 160, 96), (192, 192, 192)),
        kernel_sizes=(5, 5),
        last_width=192,
        average_last=True,
        dropout=0.5,
    ),
    "nin_imagenet": dict(
        blocks=((96, 96, 96), (256, 256, 256), (384, 384, 384)),
        kernel_sizes=(11, 5, 3),
        last_width=1024,
        stem_stride=4,
    ),
}


def nin(variant: str, **overrides: Any) -> NiN:
    """Builds a backbone from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return NiN(**(fields_of(variant, VARIANTS) | overrides))


def nin_classifier(
    variant: str, *, num_classes: int | None = None, **overrides: Any
) -> NiNClassifier:
    """Builds a classifier around `nin(variant, **overrides)`, by default for its data's classes."""
    if num_classes is None:
        num_classes = 10 if variant == "nin_cifar10" else 1000
    return NiNClassifier(nin(variant, **overrides), num_classes)
