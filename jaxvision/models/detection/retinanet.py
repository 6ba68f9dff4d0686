"""RetinaNet: a backbone, a feature pyramid and two small networks over the anchors of every level.

Focal Loss for Dense Object Detection, Lin et al. 2017, https://arxiv.org/abs/1708.02002, section 4
and figure 3. `retinanet_resnet50_fpn` is equal to torchvision's.
Departs from the paper, as torchvision does: P6 is computed from P5, not from C5
(`extra_from_backbone=True` is the paper's). `retinanet_resnet18_fpn` and `retinanet_tiny` are ours,
the second for small machines: YOLOX-Tiny's backbone, narrow and short heads.
"""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import ConvNormAct, Norm
from jaxvision.layers.convolution import Conv
from jaxvision.layers.initializers import prior_bias, torch_uniform
from jaxvision.layers.silu import silu
from jaxvision.models.backbones.csp_darknet import CSPDarknet
from jaxvision.models.backbones.resnet import resnet
from jaxvision.models.detection.detector_output import DetectorOutput
from jaxvision.models.detection.fpn import FPN
from jaxvision.models.detection.normalized import normalized
from jaxvision.models.variant import detector_fields

# ImageNet's, of RGB in 0 to 255.
IMAGE_MEAN = (123.675, 116.28, 103.53)
IMAGE_STD = (58.395, 57.12, 57.375)


class RetinaHead(nn.Module):
    """Convolutions that all levels share, then one that predicts `outputs` values an anchor.

    Attributes:
        outputs: Values for each anchor: K classes or 4 offsets.
        anchors: Anchors of a cell.
        features: Channels of the hidden convolutions.
        depth: Number of the hidden convolutions.
        bias_init: Of the last convolution.
        dtype: Of the computation; predictions are float32.
    """

    outputs: int
    anchors: int
    features: int
    depth: int
    bias_init: nn.initializers.Initializer = nn.initializers.zeros
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, features: Mapping[int, jax.Array]) -> jax.Array:
        """Maps {stride: [B, H, W, C]} to [B, A, outputs], levels by stride, rows first."""

        def conv(channels: int, name: str, **options: Any) -> Conv:
            return Conv(
                channels,
                (3, 3),
                kernel_init=nn.initializers.normal(0.01),
                dtype=self.dtype,
                name=name,
                **options,
            )

        hidden = [conv(self.features, f"conv{i + 1}") for i in range(self.depth)]
        predict = conv(self.anchors * self.outputs, "predict", bias_init=self.bias_init)
        levels = []
        for _, x in sorted(features.items()):
            for layer in hidden:
                x = nn.relu(layer(x))
            x = predict(x).astype(jnp.float32)
            levels.append(rearrange(x, "b h w (a k) -> b (h w a) k", a=self.anchors))
        return jnp.concatenate(levels, axis=1)


class RetinaNet(nn.Module):
    """Backbone, FPN and the heads of classes and boxes.

    Attributes:
        num_classes: K.
        backbone: A network to {stride: features}, as `models.backbone` builds them.
        strides: Of the pyramid's levels, ascending; those that the backbone lacks come on top.
        anchors_per_cell: Sizes times ratios of the method's anchors.
        features: Channels of the pyramid and the heads.
        head_depth: Hidden convolutions of each head.
        extra_from_backbone: Whether the first level on top is computed from the backbone's last
            features, as in the paper, or from the pyramid's.
        image_mean: Subtracted from the images' channels.
        image_std: The channels are divided by it after that.
        dtype: Of pyramid and heads; parameters and predictions are float32.
    """

    num_classes: int
    backbone: nn.Module
    strides: tuple[int, ...] = (8, 16, 32, 64, 128)
    anchors_per_cell: int = 9
    features: int = 256
    head_depth: int = 4
    extra_from_backbone: bool = False
    image_mean: tuple[float, float, float] = IMAGE_MEAN
    image_std: tuple[float, float, float] = IMAGE_STD
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> DetectorOutput:
        """Maps RGB images [B, H, W, 3] with values 0 to 255 to predictions for A anchors.

        A is the number of cells of all levels times `anchors_per_cell`.

        Raises:
            ValueError: If H or W is not a multiple of 32.
        """
        images = normalized(images, self.image_mean, self.image_std)
        features = self.backbone(images, train=train)
        levels = FPN(
            self.strides, self.features, self.extra_from_backbone, self.dtype, name="neck"
        )(features)

        def head(outputs: int, name: str, **options: Any) -> RetinaHead:
            return RetinaHead(
                outputs,
                self.anchors_per_cell,
                self.features,
                self.head_depth,
                dtype=self.dtype,
                name=name,
                **options,
            )

        # "Almost nothing is an object" is the prior of every class (section 4.1).
        classes = head(self.num_classes, "class_head", bias_init=prior_bias(0.01))(levels)
        return DetectorOutput(box_regression=head(4, "box_head")(levels), class_logits=classes)


def _csp_darknet(
    depth: float, width: float, *, norm: Norm, dtype: jnp.dtype = jnp.float32
) -> CSPDarknet:
    block = functools.partial(
        ConvNormAct, norm=norm, act=silu, kernel_init=torch_uniform(), dtype=dtype
    )
    return CSPDarknet(depth, width, block, block, dtype)


# `backbone` is a factory that is called with norm=... and dtype=...
VARIANTS: dict[str, dict[str, Any]] = {
    "retinanet_resnet50_fpn": dict(backbone=functools.partial(resnet, "resnet50")),
    "retinanet_resnet101_fpn": dict(backbone=functools.partial(resnet, "resnet101")),
    "retinanet_resnet18_fpn": dict(backbone=functools.partial(resnet, "resnet18")),
    "retinanet_tiny": dict(
        backbone=functools.partial(_csp_darknet, 0.33, 0.375), features=64, head_depth=2
    ),
}


def retinanet(
    variant: str,
    *,
    num_classes: int,
    backbone: nn.Module | None = None,
    norm: Norm | None = None,
    dtype: jnp.dtype = jnp.float32,
    **overrides: Any,
) -> RetinaNet:
    """Builds a detector from a row of `VARIANTS`; keywords replace single fields.

    Args:
        variant: A name of `VARIANTS`, with or without its `retinanet_`.
        num_classes: K.
        backbone: Takes the place of the variant's: any network to {stride: features}.
        norm: Factory of the normalisation of the variant's backbone, by default `BatchNorm`.
        dtype: Of the computation, in the variant's backbone, too.
        **overrides: Fields of `RetinaNet`.

    Raises:
        ValueError: If there is no such variant, or `norm` is given with a `backbone`.
    """
    fields = dict(detector_fields("retinanet_", variant, VARIANTS))
    if backbone is not None and norm is not None:
        raise ValueError(
            "norm must be None with a backbone of your own, which has its norm already"
        )
    own = fields.pop("backbone")
    fields |= dict(num_classes=num_classes, dtype=dtype)
    fields["backbone"] = backbone or own(norm=norm or BatchNorm, dtype=dtype)
    return RetinaNet(**(fields | overrides))
