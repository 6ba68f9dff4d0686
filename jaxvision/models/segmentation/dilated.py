"""FCN and DeepLabv3 on a dilated ResNet, equal to torchvision's.

Fully Convolutional Networks, Long et al. 2015, https://arxiv.org/abs/1411.4038; Rethinking Atrous
Convolution for Semantic Image Segmentation, Chen et al. 2017, https://arxiv.org/abs/1706.05587,
figure 5: the last two stages keep a stride of 8 and dilate their filters instead.

Departs from the papers: FCN's head is a 3 x 3 convolution of a quarter of the channels, and no
inner map is scored, but for the auxiliary head in training, as in PSPNet (Zhao et al. 2016).
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import ConvNormAct, Norm
from jaxvision.layers.convolution import Conv
from jaxvision.models.backbones.resnet import ResNet, resnet
from jaxvision.models.segmentation.segmenter_output import SegmenterOutput
from jaxvision.models.variant import fields_of
from jaxvision.ops.resize import resize_bilinear


class FCNHead(nn.Module):
    """A 3 x 3 convolution, dropout and scores.

    Attributes:
        num_classes: K.
        dropout: Probability of zeroing a value in training.
        norm: Factory of the normalisation.
        dtype: Of the computation; parameters are float32.
    """

    num_classes: int
    dropout: float = 0.1
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to scores [B, H, W, K]."""
        width = x.shape[-1] // 4
        x = ConvNormAct(width, 3, norm=self.norm, dtype=self.dtype, name="hidden")(x, train=train)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return Conv(self.num_classes, (1, 1), dtype=self.dtype, name="predict")(x)


class DeepLabHead(nn.Module):
    """Atrous spatial pyramid pooling (figure 5), a 3 x 3 convolution and scores.

    Attributes:
        num_classes: K.
        rates: Distances of the taps of the pyramid's 3 x 3 filters.
        features: Channels of each branch and of what follows.
        dropout: Probability of zeroing a value behind the pyramid in training.
        norm: Factory of the normalisation.
        dtype: Of the computation; parameters are float32.
    """

    num_classes: int
    rates: tuple[int, ...] = (12, 24, 36)
    features: int = 256
    dropout: float = 0.5
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to scores [B, H, W, K]."""
        block = functools.partial(ConvNormAct, self.features, norm=self.norm, dtype=self.dtype)
        branches = [block(1, name="branch1x1")(x, train=train)]
        for i, rate in enumerate(self.rates, start=1):
            branches.append(block(3, dilation=rate, name=f"atrous{i}")(x, train=train))
        pooled = x.mean(axis=(1, 2), keepdims=True)
        pooled = block(1, name="pooled")(pooled, train=train)
        branches.append(jnp.broadcast_to(pooled, branches[0].shape))
        x = block(1, name="project")(jnp.concatenate(branches, axis=-1), train=train)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        x = block(3, name="hidden")(x, train=train)
        return Conv(self.num_classes, (1, 1), dtype=self.dtype, name="predict")(x)


class DilatedSegmenter(nn.Module):
    """A dilated ResNet, a head on its last stage and, in training, one on the stage before.

    Attributes:
        backbone: Network from images to {stride: features}.
        head: `fcn` or `deeplabv3`.
        num_classes: K.
        auxiliary: Whether there is an FCN head on the stage before the last in training.
        dropout: Of all heads; None for 0.1 in FCN heads and 0.5 in DeepLab's.
        norm: Factory of the normalisation of the heads.
        dtype: Of the computation; parameters and statistics are float32.
    """

    backbone: ResNet
    head: str = "fcn"
    num_classes: int = 21
    auxiliary: bool = True
    dropout: float | None = None
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array | SegmenterOutput:
        """Maps images [B, H, W, 3] to logits [B, H, W, K] in float32.

        Returns:
            The logits, in training with an auxiliary head a `SegmenterOutput`.

        Raises:
            ValueError: If there is no such head.
        """
        heads = {"fcn": FCNHead, "deeplabv3": DeepLabHead}
        if self.head not in heads:
            raise ValueError(f"head must be one of {', '.join(heads)}, got {self.head}")
        fields: dict[str, Any] = dict(norm=self.norm, dtype=self.dtype)
        if self.dropout is not None:
            fields["dropout"] = self.dropout
        features = self.backbone(images, train=train)
        x = heads[self.head](self.num_classes, name="head", **fields)(features[32], train=train)
        size = images.shape[1], images.shape[2]
        logits = resize_bilinear(x.astype(jnp.float32), size)
        if not self.auxiliary:
            return logits
        # In prediction nothing reads it, and compiling drops it.
        inner = FCNHead(self.num_classes, name="auxiliary_head", **fields)
        y = inner(features[16], train=train).astype(jnp.float32)
        return SegmenterOutput(logits, (resize_bilinear(y, size),)) if train else logits


VARIANTS: dict[str, dict[str, Any]] = {
    "fcn_resnet18": dict(backbone="resnet18", head="fcn", auxiliary=False),
    "fcn_resnet50": dict(backbone="resnet50", head="fcn"),
    "fcn_resnet101": dict(backbone="resnet101", head="fcn"),
    "deeplabv3_resnet50": dict(backbone="resnet50", head="deeplabv3"),
    "deeplabv3_resnet101": dict(backbone="resnet101", head="deeplabv3"),
}


def dilated(
    variant: str,
    *,
    norm: Norm = BatchNorm,
    dtype: jnp.dtype = jnp.float32,
    backbone: ResNet | None = None,
    **overrides: Any,
) -> DilatedSegmenter:
    """Builds a network from a row of `VARIANTS`; keywords replace single fields.

    `fcn_resnet18`, for CPUs, is not one of torchvision's.

    Args:
        variant: A name of `VARIANTS`.
        norm: Factory of the normalisation, in the backbone as well.
        dtype: Of the computation.
        backbone: ResNet in place of the variant's.
        **overrides: Fields of `DilatedSegmenter`.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    fields = fields_of(variant, VARIANTS) | overrides
    name = fields.pop("backbone")
    backbone = backbone or resnet(name, dilation=(False, True, True), norm=norm, dtype=dtype)
    return DilatedSegmenter(backbone, norm=norm, dtype=dtype, **fields)
