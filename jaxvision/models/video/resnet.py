"""R3D, MC3 and R(2+1)D: residual networks over space and time.

A Closer Look at Spatiotemporal Convolutions for Action Recognition, Tran et al. 2018,
https://arxiv.org/abs/1711.11248, figure 1 and table 1. Equal to torchvision's `r3d_18`, `mc3_18`
and `r2plus1d_18`.

Departs from the paper, as torchvision does: the shortcut is projected by a 1 x 1 x 1 convolution
with a norm, and both convolutions of an R(2+1)D block have the middle channels of its first.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.clip_convolution import ClipConvNormAct
from jaxvision.layers.conv import Activation, Norm
from jaxvision.models.backbones.pooled_classifier import PooledClassifier
from jaxvision.models.variant import fields_of

# How a convolution of a stage treats time.
KINDS = ("3d", "2d", "2+1d")


class SplitConv(nn.Module):
    """A convolution over space and one over time, (2+1)D (section 3.5).

    Attributes:
        features: Output channels.
        middle: Channels between the two.
        size: Side of the spatial filter; that over time has 3 frames.
        stride: Of the rows and columns.
        frame_stride: Of the frames.
        act: Activation at the end, or None for none.
        norm: Factory of the normalisation.
        dtype: Of the computation; parameters are float32.
    """

    features: int
    middle: int
    size: int = 3
    stride: int = 1
    frame_stride: int = 1
    act: Activation | None = nn.relu
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, T, H, W, C] to [B, ceil(T / frame_stride), ceil(H / stride), ..., features]."""
        conv = functools.partial(ClipConvNormAct, norm=self.norm, dtype=self.dtype)
        kernel, strides = (1, self.size, self.size), (1, self.stride, self.stride)
        x = conv(self.middle, kernel, strides, name="spatial")(x, train=train)
        kernel, strides = (3, 1, 1), (self.frame_stride, 1, 1)
        return conv(self.features, kernel, strides, act=self.act, name="temporal")(x, train=train)


class ClipBlock(nn.Module):
    """Two convolutions and a shortcut.

    Attributes:
        features: Output channels.
        kind: `3d`, `2d` (frames apart) or `2+1d`.
        stride: Of the rows and columns, and but for `2d` of the frames.
        norm: Factory of the normalisation.
        dtype: Of the computation; parameters are float32.
    """

    features: int
    kind: str = "3d"
    stride: int = 1
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, T, H, W, C] to [B, ceil(T / stride), ceil(H / stride), ..., features]."""
        channels, frame_stride = x.shape[-1], 1 if self.kind == "2d" else self.stride
        strides = (frame_stride, self.stride, self.stride)
        conv = functools.partial(ClipConvNormAct, norm=self.norm, dtype=self.dtype)
        if self.kind == "2+1d":
            # As many weights as 3 x 3 x 3 (section 3.5).
            middle = 27 * channels * self.features // (9 * channels + 3 * self.features)
            split = functools.partial(
                SplitConv, self.features, middle, norm=self.norm, dtype=self.dtype
            )
            first = split(stride=self.stride, frame_stride=frame_stride, name="unit1")
            second = split(act=None, name="unit2")
        else:
            kernel = (1 if self.kind == "2d" else 3, 3, 3)
            first = conv(self.features, kernel, strides, name="unit1")
            second = conv(self.features, kernel, act=None, name="unit2")
        y = second(first(x, train=train), train=train)
        if self.stride > 1 or channels != self.features:
            x = conv(self.features, (1, 1, 1), strides, act=None, name="shortcut")(x, train=train)
        return nn.relu(x + y)


class ClipResNet(nn.Module):
    """A stem and four stages of residual blocks.

    Attributes:
        kinds: How the blocks of each stage treat time: `3d`, `2d` or `2+1d`.
        split_stem: Whether the stem is a convolution over space and one over time.
        depths: Blocks of the stages.
        widths: Their channels; the stem has the first.
        norm: Factory of the normalisation.
        dtype: Of the computation; parameters and statistics are float32.
    """

    kinds: tuple[str, str, str, str] = ("3d", "3d", "3d", "3d")
    split_stem: bool = False
    depths: tuple[int, int, int, int] = (2, 2, 2, 2)
    widths: tuple[int, int, int, int] = (64, 128, 256, 512)
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, clips: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps clips [B, T, H, W, 3] to {2, 4, 8, 16: features}; keys are strides in space.

        Raises:
            ValueError: If a kind of block is unknown.
        """
        if unknown := set(self.kinds) - set(KINDS):
            raise ValueError(f"kinds must be of {', '.join(KINDS)}, got {', '.join(unknown)}")
        options: dict[str, Any] = dict(norm=self.norm, dtype=self.dtype)
        x, outputs = clips.astype(self.dtype), {}
        if self.split_stem:
            x = SplitConv(self.widths[0], 45, size=7, stride=2, **options, name="stem")(
                x, train=train
            )
        else:
            x = ClipConvNormAct(self.widths[0], (3, 7, 7), (1, 2, 2), **options, name="stem")(
                x, train=train
            )
        for stage, kind in enumerate(self.kinds, start=1):
            for i in range(self.depths[stage - 1]):
                x = ClipBlock(
                    self.widths[stage - 1],
                    kind,
                    stride=2 if stage > 1 and i == 0 else 1,
                    **options,
                    name=f"stage{stage}_block{i + 1}",
                )(x, train=train)
            outputs[2**stage] = x
        return outputs


VARIANTS: dict[str, dict[str, Any]] = {
    "r3d_18": dict(),
    "mc3_18": dict(kinds=("3d", "2d", "2d", "2d")),
    "r2plus1d_18": dict(kinds=("2+1d",) * 4, split_stem=True),
}


def clip_resnet(variant: str, **overrides: Any) -> ClipResNet:
    """Builds a backbone from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return ClipResNet(**(fields_of(variant, VARIANTS) | overrides))


def clip_resnet_classifier(
    variant: str, *, num_classes: int = 400, **overrides: Any
) -> PooledClassifier:
    """Builds a classifier of clips around `clip_resnet(variant, **overrides)`."""
    return PooledClassifier(clip_resnet(variant, **overrides), num_classes)
