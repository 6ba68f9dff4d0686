"""Fast R-CNN: features once an image, pooled for each region, classified and refined.

Fast R-CNN, Girshick 2015, https://arxiv.org/abs/1504.08083, section 2 and figure 1. The regions
come from elsewhere: selective search, a file, a proposal network.
Departs from the paper: fc6 and fc7 start from uniform weights where none are loaded.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import ConvNormAct, Norm
from jaxvision.layers.initializers import torch_uniform
from jaxvision.layers.silu import silu
from jaxvision.models.backbones.csp_darknet import CSPDarknet
from jaxvision.models.backbones.mobilenet_v3 import mobilenet_v3
from jaxvision.models.backbones.resnet import resnet
from jaxvision.models.backbones.vgg import vgg
from jaxvision.models.detection.fpn import FPN
from jaxvision.models.detection.normalized import normalized
from jaxvision.models.detection.retinanet import IMAGE_MEAN, IMAGE_STD
from jaxvision.models.variant import detector_fields
from jaxvision.ops.roi_align import multiscale_roi_align
from jaxvision.ops.roi_pool import roi_pool

Levels = Mapping[int, jax.Array]
Network = TypeVar("Network", bound="FastRCNN")


class RegionOutput(NamedTuple):
    """Raw float32 predictions for regions.

    Attributes:
        class_logits: [B, R, 1 + K], the background first.
        box_regression: Offsets of each class from the region [B, R, 1 + K, 4].
    """

    class_logits: jax.Array
    box_regression: jax.Array


class RegionHead(nn.Module):
    """Two dense layers over the pooled features, then classes and boxes.

    Attributes:
        num_classes: K, without the background.
        hidden: Units of each dense layer.
        dropout: Probability of zeroing one of them in training.
        dtype: Of the computation; parameters and predictions are float32.
    """

    num_classes: int
    hidden: int = 1024
    dropout: float = 0.0
    dtype: jnp.dtype = jnp.float32

    def setup(self) -> None:
        """Builds the layers."""
        dense = functools.partial(
            nn.Dense, self.hidden, kernel_init=torch_uniform(), dtype=self.dtype
        )
        self.fc6, self.fc7 = dense(), dense()
        self.drop = nn.Dropout(self.dropout)
        self.classes = nn.Dense(1 + self.num_classes, kernel_init=nn.initializers.normal(0.01))
        init = nn.initializers.normal(0.001)
        self.boxes = nn.Dense(4 * (1 + self.num_classes), kernel_init=init)

    def embed(self, pooled: jax.Array, *, train: bool) -> jax.Array:
        """Maps pooled features [B, R, H, W, C] to those of the second dense layer [B, R, D]."""
        x = pooled.reshape(*pooled.shape[:2], -1)
        for layer in (self.fc6, self.fc7):
            x = self.drop(nn.relu(layer(x)), deterministic=not train)
        return x.astype(jnp.float32)

    def __call__(self, pooled: jax.Array, *, train: bool) -> RegionOutput:
        """Maps pooled features [B, R, H, W, C] to predictions."""
        x = self.embed(pooled, train=train)
        boxes = self.boxes(x).reshape(*x.shape[:2], 1 + self.num_classes, 4)
        return RegionOutput(self.classes(x), boxes)


class FastRCNN(nn.Module):
    """Backbone, perhaps a pyramid, and the head of regions.

    Attributes:
        num_classes: K, without the background.
        backbone: A network to {stride: features}, as `models.backbone` builds them.
        strides: Of the maps that regions are pooled from, ascending.
        pyramid: Channels of a feature pyramid over these maps; 0 for none.
        pooling: `align` for RoIAlign, `max` for RoIPool of the one map.
        bins: Rows and columns that a region is pooled to.
        hidden: Units of the head's dense layers.
        dropout: Of the head.
        image_mean: Subtracted from the images' channels.
        image_std: The channels are divided by it after that.
        dtype: Of pyramid and heads; parameters and predictions are float32.
    """

    num_classes: int
    backbone: nn.Module
    strides: tuple[int, ...] = (16,)
    pyramid: int = 0
    pooling: str = "max"
    bins: int = 7
    hidden: int = 4096
    dropout: float = 0.5
    image_mean: tuple[float, float, float] = IMAGE_MEAN
    image_std: tuple[float, float, float] = IMAGE_STD
    dtype: jnp.dtype = jnp.float32

    head_type: ClassVar[type[RegionHead]] = RegionHead

    def setup(self) -> None:
        """Builds the parts.

        Raises:
            ValueError: If `pooling` is unknown, or does not suit the number of maps.
        """
        if self.pooling not in ("align", "max"):
            raise ValueError(f"pooling must be align or max, got {self.pooling}")
        if self.pooling == "max" and len(self.strides) > 1:
            raise ValueError(f"pooling must be align for several strides, got {self.strides}")
        if self.pyramid:
            self.neck = FPN(self.strides, self.pyramid, dtype=self.dtype)
        self.head = self.head_type(self.num_classes, self.hidden, self.dropout, self.dtype)

    def extract(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps RGB images [B, H, W, 3] with values 0 to 255 to {stride: [B, H', W', C]}.

        Raises:
            ValueError: If H or W is not a multiple of 32, or the backbone lacks a stride.
        """
        images = normalized(images, self.image_mean, self.image_std)
        features = self.backbone(images, train=train)
        missing = [stride for stride in self.strides if stride not in features]
        if missing:
            raise ValueError(
                f"the backbone must have features at strides {self.strides}, got {tuple(features)}"
            )
        if self.pyramid:
            return self.neck(features)
        return {stride: features[stride] for stride in self.strides}

    def classify(self, levels: Levels, boxes: jax.Array, *, train: bool) -> RegionOutput:
        """Predicts for regions [B, R, 4], xyxy in pixels, from what `extract` returns."""
        return self.head(self.pool(levels, boxes, train=train), train=train)

    def features(self, levels: Levels, boxes: jax.Array) -> jax.Array:
        """Returns what classes and boxes are predicted from, of regions [B, R, 4]: [B, R, D]."""
        return self.head.embed(self.pool(levels, boxes, train=False), train=False)

    def pool(self, levels: Levels, boxes: jax.Array, *, train: bool) -> jax.Array:
        """Pools what `extract` returns in regions [B, R, 4]: [B, R, bins, bins, C]."""
        del train
        levels = {stride: levels[stride] for stride in self.strides}
        size = (self.bins, self.bins)
        if self.pooling == "align":
            return multiscale_roi_align(levels, boxes, size=size)
        ((stride, features),) = levels.items()
        return roi_pool(features, boxes, size=size, stride=stride)

    def __call__(self, images: jax.Array, *, train: bool) -> RegionOutput:
        """Predicts for images [B, H, W, 3] as a whole, one region each."""
        return self.classify(self.extract(images, train=train), whole(images), train=train)


def whole(images: jax.Array) -> jax.Array:
    """Returns boxes [B, 1, 4] that cover images [B, H, W, 3]."""
    batch, height, width, _ = images.shape
    box = jnp.array([0, 0, width, height], jnp.float32)
    return jnp.broadcast_to(box[None, None], (batch, 1, 4))


def vgg16(*, norm: Norm | None = None, dtype: jnp.dtype) -> nn.Module:
    """VGG16, which has no normalisation."""
    if norm is not None:
        raise ValueError(f"norm must be None for VGG16, which has no normalisation, got {norm}")
    return vgg("vgg16", dtype=dtype)


def csp_darknet(*, norm: Norm | None = None, dtype: jnp.dtype) -> nn.Module:
    """YOLOX-Tiny's backbone."""
    block = functools.partial(
        ConvNormAct, norm=norm or BatchNorm, act=silu, kernel_init=torch_uniform(), dtype=dtype
    )
    return CSPDarknet(0.33, 0.375, block, block, dtype)


def resnet_backbone(name: str, *, norm: Norm | None = None, dtype: jnp.dtype) -> nn.Module:
    """A ResNet."""
    return resnet(name, norm=norm or BatchNorm, dtype=dtype)


def mobilenet(*, norm: Norm | None = None, dtype: jnp.dtype) -> nn.Module:
    """MobileNetV3-Large."""
    return mobilenet_v3("mobilenet_v3_large", dtype=dtype, **(dict(norm=norm) if norm else {}))


PYRAMID = dict(strides=(4, 8, 16, 32), pyramid=256, pooling="align", hidden=1024, dropout=0.0)
# For small machines: a narrow pyramid and narrow heads.
TINY = dict(
    backbone=csp_darknet,
    strides=(8, 16, 32),
    pyramid=64,
    pooling="align",
    hidden=256,
    dropout=0.0,
)

# `backbone` is a factory that is called with norm=... and dtype=...
VARIANTS: dict[str, dict[str, Any]] = {
    "fast_rcnn_vgg16": dict(backbone=vgg16),
    "fast_rcnn_resnet50_fpn": dict(
        backbone=functools.partial(resnet_backbone, "resnet50"), **PYRAMID
    ),
    "fast_rcnn_tiny": TINY,
}


def build(
    kind: type[Network],
    prefix: str,
    variants: Mapping[str, dict[str, Any]],
    variant: str,
    *,
    num_classes: int,
    backbone: nn.Module | None = None,
    norm: Norm | None = None,
    dtype: jnp.dtype = jnp.float32,
    **overrides: Any,
) -> Network:
    """Builds a network of regions from a row of its table; keywords replace single fields.

    Args:
        kind: `FastRCNN` or a subclass.
        prefix: Of the names in the table.
        variants: The table.
        variant: A name of it, with or without the prefix.
        num_classes: K, without the background.
        backbone: Takes the place of the variant's: any network to {stride: features}.
        norm: Factory of the normalisation of the variant's backbone, by default its own.
        dtype: Of the computation, in the variant's backbone, too.
        **overrides: Fields of the network.

    Raises:
        ValueError: If there is no such variant, or `norm` is given with a `backbone`.
    """
    fields = dict(detector_fields(prefix, variant, variants))
    if backbone is not None and norm is not None:
        raise ValueError(
            "norm must be None with a backbone of your own, which has its norm already"
        )
    own: Callable[..., nn.Module] = fields.pop("backbone")
    options = dict(dtype=dtype) if norm is None else dict(norm=norm, dtype=dtype)
    fields |= dict(num_classes=num_classes, dtype=dtype, backbone=backbone or own(**options))
    return kind(**(fields | overrides))


def fast_rcnn(variant: str, **options: Any) -> FastRCNN:
    """Builds a detector from a row of `VARIANTS`; the options are those of `build`."""
    return build(FastRCNN, "fast_rcnn_", VARIANTS, variant, **options)
