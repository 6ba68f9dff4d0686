"""YOLOv8: an anchor-free detector that predicts distributions of distances.

There is no paper; equal to the networks of Ultralytics 8.2, whose facts are those of its
configuration files. The distances' distributions: Generalized Focal Loss, Li et al. 2020,
https://arxiv.org/abs/2006.04388, section 3.2.
Departs from it: images hold values 0 to 255, divided by 255 inside.
"""

import functools
import math
from collections.abc import Mapping
from typing import Any, cast

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import ConvNormAct
from jaxvision.layers.convolution import Conv
from jaxvision.layers.csp import C2f, ConvFactory
from jaxvision.layers.initializers import torch_uniform
from jaxvision.layers.silu import silu
from jaxvision.models.backbones.csp_darknet_v6 import CSPDarknetV6, scaled
from jaxvision.models.detection.detector_output import DetectorOutput
from jaxvision.models.detection.normalized import normalized
from jaxvision.models.variant import detector_fields
from jaxvision.ops.resize import upsample_nearest

STRIDES = (8, 16, 32)
# Distances 0, 1, ..., 15 strides have a probability each.
BINS = 16


class C2fPAN(nn.Module):
    """A top-down and then a bottom-up path over the maps at strides 8, 16 and 32.

    PAN: Liu et al. 2018, https://arxiv.org/abs/1803.01534; maps are concatenated and fused by C2f.

    Attributes:
        blocks: Bottlenecks of each fusion.
        conv: Factory of convolution blocks.
    """

    blocks: int
    conv: ConvFactory

    @nn.compact
    def __call__(self, features: Mapping[int, jax.Array], *, train: bool) -> dict[int, jax.Array]:
        """Maps {8, 16, 32: features} to {8, 16, 32: features} with the same channels."""
        c3, c4, c5 = features[8], features[16], features[32]

        def fuse(x: jax.Array, lateral: jax.Array, channels: int, name: str) -> jax.Array:
            x = jnp.concatenate([x, lateral], axis=-1)
            layer = C2f(channels, self.blocks, self.conv, self.conv, shortcut=False, name=name)
            return layer(x, train=train)

        def downsample(x: jax.Array, name: str) -> jax.Array:
            return self.conv(x.shape[-1], 3, 2, name=name)(x, train=train)

        middle = fuse(upsample_nearest(c5), c4, c4.shape[-1], "top_down4")
        p3 = fuse(upsample_nearest(middle), c3, c3.shape[-1], "top_down3")
        p4 = fuse(downsample(p3, "downsample3"), middle, c4.shape[-1], "bottom_up4")
        p5 = fuse(downsample(p4, "downsample4"), c5, c5.shape[-1], "bottom_up5")
        return {8: p3, 16: p4, 32: p5}


class DistributionHead(nn.Module):
    """One decoupled head for each level: distances of the four sides, and classes.

    Attributes:
        num_classes: K.
        conv: Factory of convolution blocks.
        dtype: Of the computation; predictions are float32.
    """

    num_classes: int
    conv: ConvFactory
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, features: Mapping[int, jax.Array], *, train: bool) -> DetectorOutput:
        """Maps {stride: [B, H, W, C]} to predictions for A = sum of H * W anchors."""
        first = features[min(features)].shape[-1]
        box_width = max(first // 4, 4 * BINS)
        class_width = max(first, min(self.num_classes, 100))

        def branch(x: jax.Array, width: int, outputs: int, bias: float, name: str) -> jax.Array:
            for i in (1, 2):
                x = self.conv(width, 3, name=f"{name}_conv{i}")(x, train=train)
            x = Conv(
                outputs,
                (1, 1),
                kernel_init=torch_uniform(),
                bias_init=nn.initializers.constant(bias),
                dtype=self.dtype,
                name=name,
            )(x)
            return rearrange(x.astype(jnp.float32), "b h w k -> b (h w) k")

        boxes, classes = [], []
        for stride, x in sorted(features.items()):
            # Five objects an image of 640 x 640.
            prior = math.log(5 / self.num_classes / (640 / stride) ** 2)
            boxes.append(branch(x, box_width, 4 * BINS, 1.0, f"stride{stride}_box"))
            classes.append(branch(x, class_width, self.num_classes, prior, f"stride{stride}_class"))
        return DetectorOutput(jnp.concatenate(boxes, axis=1), jnp.concatenate(classes, axis=1))


class YOLOv8(nn.Module):
    """Backbone, feature pyramid and decoupled head.

    Attributes:
        num_classes: K.
        depth: Multiplies the number of blocks.
        width: Multiplies the channels.
        max_features: Channels at width 1 are at most these.
        backbone: Replaces the authors': any network to {8, 16, 32: features}, as `models.backbone`
            builds them. The pyramid has its channels.
        image_mean: Subtracted from the images' channels.
        image_std: The channels are divided by it after that.
        dtype: Of the computation; parameters, statistics and predictions are float32.
    """

    num_classes: int
    depth: float = 1.0
    width: float = 1.0
    max_features: int = 1024
    backbone: nn.Module | None = None
    image_mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    image_std: tuple[float, float, float] = (255.0, 255.0, 255.0)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> DetectorOutput:
        """Maps RGB images [B, H, W, 3] with values 0 to 255 to predictions for A anchors.

        A is the number of cells of the maps at strides 8, 16 and 32: 8400 at 640 x 640. The
        regression [B, A, 4 * 16] holds logits of the distances to the left, top, right and bottom.

        Raises:
            ValueError: If H or W is not a multiple of 32.
        """
        images = normalized(images, self.image_mean, self.image_std)
        conv = functools.partial(
            ConvNormAct,
            norm=functools.partial(BatchNorm, momentum=0.97, epsilon=1e-3),
            act=silu,
            kernel_init=torch_uniform(),
            dtype=self.dtype,
        )
        features, depths = scaled(self.depth, self.width, (3, 6, 6, 3), self.max_features)
        backbone = self.backbone or CSPDarknetV6(
            cast(Any, features),
            cast(Any, depths),
            conv,
            C2f,
            stem_kernel=3,
            stem_padding=1,
            dtype=self.dtype,
            name="backbone",
        )
        levels = backbone(images, train=train)
        levels = C2fPAN(depths[-1], conv, name="neck")(levels, train=train)
        return DistributionHead(self.num_classes, conv, self.dtype, name="head")(
            levels, train=train
        )


VARIANTS: dict[str, dict[str, Any]] = {
    "yolov8n": dict(depth=0.33, width=0.25),
    "yolov8s": dict(depth=0.33, width=0.50),
    "yolov8m": dict(depth=0.67, width=0.75, max_features=768),
    "yolov8l": dict(depth=1.0, width=1.0, max_features=512),
    "yolov8x": dict(depth=1.0, width=1.25, max_features=512),
}


def yolov8(variant: str, *, num_classes: int, **overrides: Any) -> YOLOv8:
    """Builds a detector from a row of `VARIANTS`; keywords replace single fields.

    Args:
        variant: A name of `VARIANTS`, with or without its `yolov8`.
        num_classes: K.
        **overrides: Fields of `YOLOv8`.

    Raises:
        ValueError: If there is no such variant.
    """
    fields = detector_fields("yolov8", variant, VARIANTS)
    return YOLOv8(num_classes=num_classes, **(fields | overrides))
