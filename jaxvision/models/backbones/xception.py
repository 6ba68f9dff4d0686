"""Xception: residual blocks of depthwise separable convolutions.

Xception, Chollet 2016, https://arxiv.org/abs/1610.02357, figure 5. Equal to timm's
`legacy_xception`, whose weights come from the author's. Those expect images of 299 x 299 normalised
by mean 0.5 and standard deviation 0.5.

Departs from the paper:
    A stride of 2 pads by one pixel on both sides, in the author's code on the far side only.
    Batch normalisation keeps 0.9 of its statistics a step, in the author's code 0.99.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import ConvNormAct, Norm
from jaxvision.layers.convolution import Conv
from jaxvision.layers.depthwise import DepthwiseConv
from jaxvision.layers.initializers import he_normal_fan_out, torch_uniform, uniform_bias
from jaxvision.layers.pooling import max_pool
from jaxvision.models.backbones.pooled_classifier import PooledClassifier
from jaxvision.models.variant import fields_of


class SeparableConvNorm(nn.Module):
    """A depthwise 3 x 3 and a dense 1 x 1 convolution with nothing in between, then norm.

    Attributes:
        features: Output channels.
        norm: Factory of the normalisation.
        dtype: Of the computation.
    """

    features: int
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, H, W, features]."""
        x = DepthwiseConv(3, kernel_init=he_normal_fan_out(), dtype=self.dtype, name="depthwise")(x)
        x = Conv(
            self.features,
            (1, 1),
            use_bias=False,
            kernel_init=he_normal_fan_out(),
            dtype=self.dtype,
            name="pointwise",
        )(x)
        return self.norm(dtype=self.dtype, name="norm")(x, train=train)


class XceptionBlock(nn.Module):
    """ReLU and separable convolution, repeated, then max pooling if strided, plus shortcut.

    Attributes:
        widths: Output channels of the separable convolutions.
        stride: 2 to pool and to project the shortcut, 1 for an identity.
        relu_first: Whether a ReLU precedes the first convolution, too.
        norm: Factory of the normalisation.
        dtype: Of the computation.
    """

    widths: tuple[int, ...]
    stride: int = 1
    relu_first: bool = True
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, ceil(H / stride), ceil(W / stride), widths[-1]]."""
        y = x
        for i, width in enumerate(self.widths):
            y = nn.relu(y) if i or self.relu_first else y
            separable = SeparableConvNorm(width, self.norm, self.dtype, name=f"separable{i + 1}")
            y = separable(y, train=train)
        if self.stride == 1:
            return x + y
        y = max_pool(y, window=3, stride=self.stride, padding=1)
        shortcut = ConvNormAct(
            self.widths[-1],
            1,
            self.stride,
            act=None,
            norm=self.norm,
            kernel_init=he_normal_fan_out(),
            dtype=self.dtype,
            name="shortcut",
        )
        return shortcut(x, train=train) + y


class Xception(nn.Module):
    """Entry flow of two convolutions and three blocks, middle flow, exit flow.

    Attributes:
        middle: Blocks of the middle flow.
        norm: Factory of the normalisation.
        dtype: Of the computation; parameters and statistics are float32.
    """

    middle: int = 8
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps images [B, H, W, 3] to {2, 4, 8, 16, 32: features}.

        The stem pads nothing: the map at stride 2 has (H - 1) // 2 - 2 rows, 147 of 299, and each
        further one half of that, rounded up. Features at 4, 8 and 16 are before the ReLU with
        which the next block begins.

        Raises:
            ValueError: If H or W is less than 7.
        """
        if min(images.shape[1:3]) < 7:
            raise ValueError(f"images must be at least 7 x 7, got {images.shape[1:3]}")
        conv = functools.partial(
            ConvNormAct,
            norm=self.norm,
            kernel_init=he_normal_fan_out(),
            dtype=self.dtype,
            padding=0,
        )
        block = functools.partial(XceptionBlock, norm=self.norm, dtype=self.dtype)
        separable = functools.partial(SeparableConvNorm, norm=self.norm, dtype=self.dtype)

        x = conv(32, 3, 2, name="stem_conv1")(images.astype(self.dtype), train=train)
        outputs = {2: conv(64, 3, name="stem_conv2")(x, train=train)}
        entry = block((128, 128), 2, relu_first=False, name="block1")
        outputs[4] = entry(outputs[2], train=train)
        outputs[8] = block((256, 256), 2, name="block2")(outputs[4], train=train)
        x = block((728, 728), 2, name="block3")(outputs[8], train=train)
        for i in range(self.middle):
            x = block((728, 728, 728), name=f"block{i + 4}")(x, train=train)
        outputs[16] = x
        x = block((728, 1024), 2, name=f"block{self.middle + 4}")(x, train=train)
        x = nn.relu(separable(1536, name="exit_separable1")(x, train=train))
        outputs[32] = nn.relu(separable(2048, name="exit_separable2")(x, train=train))
        return outputs


VARIANTS: dict[str, dict[str, Any]] = {
    "xception": dict(middle=8),
}


def xception(variant: str = "xception", **overrides: Any) -> Xception:
    """Builds a backbone from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return Xception(**(fields_of(variant, VARIANTS) | overrides))


def xception_classifier(
    variant: str = "xception",
    *,
    num_classes: int = 1000,
    dropout: float = 0.5,
    **overrides: Any,
) -> PooledClassifier:
    """Builds a classifier on `xception(variant, **overrides)`.

    Args:
        variant: A name of `VARIANTS`.
        num_classes: K.
        dropout: Fraction of pooled features dropped in training, 0.5 in the paper's section 4.3.
        **overrides: Fields of `Xception`.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return PooledClassifier(
        xception(variant, **overrides),
        num_classes,
        dropout,
        kernel_init=torch_uniform(),
        bias_init=uniform_bias(2048),
    )
