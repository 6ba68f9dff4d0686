"""ResNet, ResNeXt and SE-ResNet for ImageNet.

Deep Residual Learning for Image Recognition, He et al. 2015, https://arxiv.org/abs/1512.03385,
table 1 and figure 5; Aggregated Residual Transformations, Xie et al. 2016,
https://arxiv.org/abs/1611.05431, table 1 and figure 3c; Squeeze-and-Excitation Networks, Hu et al.
2017, https://arxiv.org/abs/1709.01507, figure 3. Equal to torchvision's, and to timm's port of the
SENet authors' weights.

Departs from the papers: a bottleneck has its stride in the 3 x 3 convolution, as torchvision's does
(v1.5), except in SE-ResNet; `stride_in_1x1=True` is the papers'. Running statistics are moving
averages, where He et al. computed true averages after training.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import ConvNormAct, Norm
from jaxvision.layers.drop_path import DropPath, linear_rates
from jaxvision.layers.initializers import he_normal_fan_out, torch_uniform, uniform_bias
from jaxvision.layers.pooling import max_pool
from jaxvision.layers.squeeze_excitation import SqueezeExcitation
from jaxvision.models.backbones.pooled_classifier import PooledClassifier
from jaxvision.models.variant import fields_of


class ResidualBlock(nn.Module):
    """A residual branch and a shortcut, which a 1 x 1 convolution projects where shapes differ.

    Attributes:
        features: Output channels.
        width: Channels of the 3 x 3 convolution of a bottleneck.
        stride: Spatial stride of the block.
        bottleneck: Whether the branch is 1 x 1 reduce, 3 x 3, 1 x 1 expand (figure 5, right)
            instead of two 3 x 3 convolutions (left).
        groups: Cardinality: 1 for ResNet, 32 for ResNeXt.
        squeeze_excitation: Whether squeeze-and-excitation by 16 ends the branch.
        stride_in_1x1: Whether a bottleneck's stride is in its first convolution.
        zero_init_last: Whether the branch starts at zero: scale 0 in its last normalisation.
        drop_path: Probability of dropping the branch in training.
        dilation: Distance of the taps of a bottleneck's 3 x 3 convolution, and of the first one of
            the two of a plain block.
        second_dilation: Distance of the taps of the second 3 x 3 convolution of a plain block.
        norm: Factory of the normalisation.
        dtype: Of the computation; parameters and statistics are float32.
    """

    features: int
    width: int
    stride: int = 1
    bottleneck: bool = True
    groups: int = 1
    squeeze_excitation: bool = False
    stride_in_1x1: bool = False
    zero_init_last: bool = False
    drop_path: float = 0.0
    dilation: int = 1
    second_dilation: int = 1
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, ceil(H / stride), ceil(W / stride), features]."""
        conv = functools.partial(
            ConvNormAct, norm=self.norm, kernel_init=he_normal_fan_out(), dtype=self.dtype
        )
        last = functools.partial(conv, act=None)
        if self.zero_init_last:
            zero = functools.partial(self.norm, scale_init=nn.initializers.zeros)
            last = functools.partial(last, norm=zero)
        if self.bottleneck:
            first, second = (self.stride, 1) if self.stride_in_1x1 else (1, self.stride)
            y = conv(self.width, 1, first, name="reduce")(x, train=train)
            y = conv(self.width, 3, second, self.groups, dilation=self.dilation, name="spatial")(
                y, train=train
            )
            y = last(self.features, 1, name="expand")(y, train=train)
        else:
            y = conv(self.features, 3, self.stride, dilation=self.dilation, name="spatial1")(
                x, train=train
            )
            y = last(self.features, 3, dilation=self.second_dilation, name="spatial2")(
                y, train=train
            )
        if self.squeeze_excitation:
            y = SqueezeExcitation(self.features // 16, dtype=self.dtype, name="se")(y)
        if self.drop_path:
            y = DropPath(self.drop_path, name="drop")(y, train=train)
        if self.stride > 1 or x.shape[-1] != self.features:
            x = conv(self.features, 1, self.stride, act=None, name="shortcut")(x, train=train)
        return nn.relu(x + y)


class ResNet(nn.Module):
    """A 7 x 7 stem, a pool and four stages of residual blocks.

    Attributes:
        depths: Blocks of the stages at strides 4, 8, 16 and 32.
        bottleneck: Whether blocks have three convolutions and four times the channels.
        groups: Groups of the 3 x 3 convolutions.
        width_per_group: Channels a group in the first stage; stages double them.
        squeeze_excitation: Whether branches end with squeeze-and-excitation.
        stride_in_1x1: Whether a bottleneck's stride is in its first 1 x 1 convolution (v1) or in
            its 3 x 3 (v1.5).
        ceil_pool: Whether the stem's pool extends past the far edge, as in Caffe, instead of being
            padded on both sides.
        zero_init_last: Whether blocks start as their shortcut (Goyal et al. 2017, section 5.1).
        drop_path: Probability of dropping the last block's branch in training; those of
            blocks before it grow linearly up to it.
        dilation: Whether each of the stages at strides 8, 16 and 32 keeps the resolution of the
            stage before it and dilates its 3 x 3 convolutions instead, torchvision's
            `replace_stride_with_dilation`: (False, False, True) for a true stride of 16 at most.
        norm: Factory of the normalisation.
        dtype: Of the computation; parameters and statistics are float32.
    """

    depths: tuple[int, int, int, int]
    bottleneck: bool = True
    groups: int = 1
    width_per_group: int = 64
    squeeze_excitation: bool = False
    stride_in_1x1: bool = False
    ceil_pool: bool = False
    zero_init_last: bool = False
    drop_path: float = 0.0
    dilation: tuple[bool, bool, bool] = (False, False, False)
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps images [B, H, W, 3] to {4, 8, 16, 32: features}.

        The features of a dilated stage are named by the stride that they would have without.

        Raises:
            ValueError: If `dilation` does not have an entry for each of the last three stages.
        """
        if len(self.dilation) != 3:
            raise ValueError(
                f"dilation must have an entry for strides 8, 16 and 32, got {self.dilation}"
            )
        stem = ConvNormAct(
            64,
            7,
            2,
            norm=self.norm,
            kernel_init=he_normal_fan_out(),
            dtype=self.dtype,
            name="stem",
        )
        x = stem(images.astype(self.dtype), train=train)
        if self.ceil_pool:
            x = max_pool(x, window=3, stride=2, ceil_mode=True)
        else:
            x = max_pool(x, window=3, stride=2, padding=1)

        outputs = {}
        rates = iter(linear_rates(self.drop_path, sum(self.depths)))
        dilation = 1
        for stage, (blocks, dilated) in enumerate(
            zip(self.depths, (False, *self.dilation), strict=True), start=2
        ):
            scale = 2 ** (stage - 2)
            # As in torchvision, the 3 x 3 filter that would have the stride still has the dilation
            # of the stage before; behind a strided 1 x 1 convolution it has the new one.
            first, dilation = dilation, dilation * 2 if dilated else dilation
            if self.bottleneck and self.stride_in_1x1:
                first = dilation
            for i in range(blocks):
                x = ResidualBlock(
                    features=(256 if self.bottleneck else 64) * scale,
                    width=self.groups * self.width_per_group * scale,
                    stride=2 if stage > 2 and i == 0 and not dilated else 1,
                    bottleneck=self.bottleneck,
                    groups=self.groups,
                    squeeze_excitation=self.squeeze_excitation,
                    stride_in_1x1=self.stride_in_1x1,
                    zero_init_last=self.zero_init_last,
                    drop_path=next(rates),
                    dilation=first if i == 0 else dilation,
                    second_dilation=dilation,
                    norm=self.norm,
                    dtype=self.dtype,
                    name=f"stage{stage}_block{i + 1}",
                )(x, train=train)
            outputs[2**stage] = x
        return outputs


_SE_RESNET = dict(squeeze_excitation=True, stride_in_1x1=True, ceil_pool=True)

VARIANTS: dict[str, dict[str, Any]] = {
    "resnet18": dict(depths=(2, 2, 2, 2), bottleneck=False),
    "resnet34": dict(depths=(3, 4, 6, 3), bottleneck=False),
    "resnet50": dict(depths=(3, 4, 6, 3)),
    "resnet101": dict(depths=(3, 4, 23, 3)),
    "resnet152": dict(depths=(3, 8, 36, 3)),
    "resnext50_32x4d": dict(depths=(3, 4, 6, 3), groups=32, width_per_group=4),
    "resnext101_32x8d": dict(depths=(3, 4, 23, 3), groups=32, width_per_group=8),
    "resnext101_64x4d": dict(depths=(3, 4, 23, 3), groups=64, width_per_group=4),
    "seresnet50": dict(depths=(3, 4, 6, 3), **_SE_RESNET),
    "seresnet101": dict(depths=(3, 4, 23, 3), **_SE_RESNET),
    "seresnet152": dict(depths=(3, 8, 36, 3), **_SE_RESNET),
}


def resnet(variant: str, **overrides: Any) -> ResNet:
    """Builds a backbone from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return ResNet(**(fields_of(variant, VARIANTS) | overrides))


def resnet_classifier(
    variant: str, *, num_classes: int = 1000, **overrides: Any
) -> PooledClassifier:
    """Builds a classifier around `resnet(variant, **overrides)`."""
    backbone = resnet(variant, **overrides)
    return PooledClassifier(
        backbone,
        num_classes,
        kernel_init=torch_uniform(),
        bias_init=uniform_bias(2048 if backbone.bottleneck else 512),
    )
