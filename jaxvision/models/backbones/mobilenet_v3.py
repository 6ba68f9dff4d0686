"""MobileNetV3: inverted residual blocks with squeeze-and-excitation and hard swish.

Searching for MobileNetV3, Howard et al. 2019, https://arxiv.org/abs/1905.02244, tables 1 and 2.
Equal to torchvision's.

Departs from the paper:
    The squeezed layers have a quarter of the expanded channels rounded to a multiple of 8.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import ConvNormAct, Norm
from jaxvision.layers.depthwise import DepthwiseConv
from jaxvision.layers.initializers import he_normal_fan_out
from jaxvision.layers.squeeze_excitation import SqueezeExcitation
from jaxvision.models.variant import fields_of

batch_norm = functools.partial(BatchNorm, momentum=0.99, epsilon=1e-3)


def divisible_by_8(channels: float) -> int:
    """Rounds to a multiple of 8, up where rounding down would lose more than a tenth."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


class Row(NamedTuple):
    """A row of the paper's tables 1 and 2: one block.

    Attributes:
        kernel: Side of the depthwise filter.
        expanded: Channels in the block.
        features: Channels out of the block.
        squeeze: Whether it has squeeze-and-excitation.
        hard_swish: Whether it has hard swish, else ReLU.
        stride: Spatial stride.
    """

    kernel: int
    expanded: int
    features: int
    squeeze: bool
    hard_swish: bool
    stride: int


class InvertedResidual(nn.Module):
    """1 x 1 expand, depthwise k x k, squeeze-and-excitation, 1 x 1 project, plus identity.

    Attributes:
        row: Kernel, widths, activation and stride.
        norm: Factory of the normalisation.
        dtype: Of the computation.
    """

    row: Row
    norm: Norm = batch_norm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, ceil(H / stride), ceil(W / stride), features]."""
        row = self.row
        act = nn.hard_swish if row.hard_swish else nn.relu
        conv = functools.partial(
            ConvNormAct, norm=self.norm, kernel_init=he_normal_fan_out(), dtype=self.dtype
        )
        y = x
        if row.expanded != x.shape[-1]:
            y = conv(row.expanded, 1, act=act, name="expand")(y, train=train)
        y = DepthwiseConv(
            row.kernel, row.stride, he_normal_fan_out(), self.dtype, name="depthwise"
        )(y)
        y = act(self.norm(dtype=self.dtype, name="depthwise_norm")(y, train=train))
        if row.squeeze:
            y = SqueezeExcitation(
                divisible_by_8(row.expanded // 4),
                gate=nn.hard_sigmoid,
                kernel_init=he_normal_fan_out(),
                dtype=self.dtype,
                name="se",
            )(y)
        y = conv(row.features, 1, act=None, name="project")(y, train=train)
        return x + y if row.stride == 1 and x.shape[-1] == row.features else y


class MobileNetV3(nn.Module):
    """A stem, inverted residual blocks, and a 1 x 1 convolution to six times the channels.

    Attributes:
        rows: The blocks.
        norm: Factory of the normalisation.
        dtype: Of the computation; parameters and statistics are float32.
    """

    rows: tuple[Row, ...]
    norm: Norm = batch_norm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps images [B, H, W, 3] to {stride: [B, ceil(H / stride), ceil(W / stride), C]}.

        Strides are 2, 4, 8, 16 and 32, features those of the last block at each; the last are
        those of the convolution after the blocks.
        """
        conv = functools.partial(
            ConvNormAct,
            act=nn.hard_swish,
            norm=self.norm,
            kernel_init=he_normal_fan_out(),
            dtype=self.dtype,
        )
        x = conv(16, 3, 2, name="stem")(images.astype(self.dtype), train=train)
        stride, outputs = 2, {2: x}
        for i, row in enumerate(self.rows):
            x = InvertedResidual(row, self.norm, self.dtype, name=f"block{i + 1}")(x, train=train)
            stride *= row.stride
            outputs[stride] = x
        outputs[stride] = conv(6 * x.shape[-1], 1, name="expand")(x, train=train)
        return outputs


class MobileNetV3Classifier(nn.Module):
    """A MobileNetV3, the mean over its last map, and two dense layers.

    Attributes:
        backbone: Network from images to {stride: features}.
        hidden: Width of the first dense layer, which has no normalisation.
        num_classes: K.
        dropout: Fraction of that layer dropped in training, drawn from the rng `dropout`.
    """

    backbone: MobileNetV3
    hidden: int
    num_classes: int = 1000
    dropout: float = 0.2

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps images [B, H, W, 3] to logits [B, K] in float32."""
        dense = functools.partial(nn.Dense, kernel_init=nn.initializers.normal(0.01))
        features = self.backbone(images, train=train)
        x = features[max(features)].astype(jnp.float32).mean((1, 2))
        x = nn.hard_swish(dense(self.hidden, name="hidden")(x))
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return dense(self.num_classes, name="head")(x)


VARIANTS: dict[str, dict[str, Any]] = {
    "mobilenet_v3_small": dict(
        rows=(
            Row(3, 16, 16, True, False, 2),
            Row(3, 72, 24, False, False, 2),
            Row(3, 88, 24, False, False, 1),
            Row(5, 96, 40, True, True, 2),
            Row(5, 240, 40, True, True, 1),
            Row(5, 240, 40, True, True, 1),
            Row(5, 120, 48, True, True, 1),
            Row(5, 144, 48, True, True, 1),
            Row(5, 288, 96, True, True, 2),
            Row(5, 576, 96, True, True, 1),
            Row(5, 576, 96, True, True, 1),
        )
    ),
    "mobilenet_v3_large": dict(
        rows=(
            Row(3, 16, 16, False, False, 1),
            Row(3, 64, 24, False, False, 2),
            Row(3, 72, 24, False, False, 1),
            Row(5, 72, 40, True, False, 2),
            Row(5, 120, 40, True, False, 1),
            Row(5, 120, 40, True, False, 1),
            Row(3, 240, 80, False, True, 2),
            Row(3, 200, 80, False, True, 1),
            Row(3, 184, 80, False, True, 1),
            Row(3, 184, 80, False, True, 1),
            Row(3, 480, 112, True, True, 1),
            Row(3, 672, 112, True, True, 1),
            Row(5, 672, 160, True, True, 2),
            Row(5, 960, 160, True, True, 1),
            Row(5, 960, 160, True, True, 1),
        )
    ),
}
_HIDDEN = {"mobilenet_v3_small": 1024, "mobilenet_v3_large": 1280}


def mobilenet_v3(variant: str, **overrides: Any) -> MobileNetV3:
    """Builds a backbone from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return MobileNetV3(**(fields_of(variant, VARIANTS) | overrides))


def mobilenet_v3_classifier(
    variant: str, *, num_classes: int = 1000, dropout: float = 0.2, **overrides: Any
) -> MobileNetV3Classifier:
    """Builds a classifier on `mobilenet_v3(variant, **overrides)`.

    Args:
        variant: A name of `VARIANTS`.
        num_classes: K.
        dropout: Fraction of the last hidden layer dropped in training.
        **overrides: Fields of `MobileNetV3`.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    backbone = mobilenet_v3(variant, **overrides)
    return MobileNetV3Classifier(backbone, _HIDDEN[variant], num_classes, dropout)
