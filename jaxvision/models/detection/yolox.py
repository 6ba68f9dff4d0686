"""YOLOX: an anchor-free detector with a decoupled head.

YOLOX: Exceeding YOLO Series in 2021, Ge et al. 2021, https://arxiv.org/abs/2107.08430. Equal to the
authors' implementation. Departs from it: images are RGB, the authors' BGR; `jaxvision.pretrained`
converts their weights.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import ConvNormAct, DepthwiseSeparable
from jaxvision.layers.initializers import torch_uniform
from jaxvision.layers.silu import silu
from jaxvision.models.backbones.csp_darknet import CSPDarknet
from jaxvision.models.backbones.darknet import Darknet
from jaxvision.models.detection.detector_output import DetectorOutput
from jaxvision.models.detection.ghost_pan import GhostPAN
from jaxvision.models.detection.normalized import normalized
from jaxvision.models.detection.pyramid import PAFPN, YOLOFPN
from jaxvision.models.detection.yolox_head import DecoupledHead
from jaxvision.models.variant import detector_fields

STRIDES = (8, 16, 32)


class YOLOX(nn.Module):
    """Backbone, feature pyramid and decoupled head.

    Attributes:
        num_classes: K.
        depth: Multiplies the number of blocks.
        width: Multiplies the channels.
        depthwise: Whether 3 x 3 convolutions are depthwise separable (nano).
        darknet53: Whether backbone and pyramid are YOLOv3's, with leaky ReLU throughout.
        pyramid: Replaces the paper's pyramid: `ghost_pan`, a lighter one.
        backbone: Replaces the paper's: any network to {8, 16, 32: features}, as `models.backbone`
            builds them. The pyramid has its channels.
        image_mean: Subtracted from the images' channels, for another backbone.
        image_std: The channels are divided by it after that.
        dtype: Of the computation; parameters, statistics and predictions are float32.
    """

    num_classes: int
    depth: float = 1.0
    width: float = 1.0
    depthwise: bool = False
    darknet53: bool = False
    pyramid: str = ""
    backbone: nn.Module | None = None
    image_mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    image_std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> DetectorOutput:
        """Maps RGB images [B, H, W, 3] with values 0 to 255 to predictions for A anchors.

        A is the number of cells of the maps at strides 8, 16 and 32: 8400 at 640 x 640.

        Raises:
            ValueError: If H or W is not a multiple of 32, or there is no such pyramid.
        """
        if self.pyramid not in ("", "ghost_pan"):
            raise ValueError(f"pyramid must be ghost_pan or empty, got {self.pyramid}")
        images = normalized(images, self.image_mean, self.image_std)
        leaky_relu = functools.partial(nn.leaky_relu, negative_slope=0.1)
        block = functools.partial(
            ConvNormAct,
            norm=functools.partial(BatchNorm, momentum=0.97, epsilon=1e-3),
            act=leaky_relu if self.darknet53 else silu,
            kernel_init=torch_uniform(),
            dtype=self.dtype,
        )
        spatial = (
            functools.partial(DepthwiseSeparable, **block.keywords) if self.depthwise else block
        )
        if self.darknet53:
            own = functools.partial(Darknet, block, pyramid_pooling=True, dtype=self.dtype)
            pyramid = functools.partial(YOLOFPN, block)
        else:
            own = functools.partial(CSPDarknet, self.depth, self.width, block, spatial, self.dtype)
            pyramid = functools.partial(PAFPN, self.depth, block, spatial)
        if self.pyramid:
            pyramid = functools.partial(GhostPAN, int(256 * self.width), block)
        # A module that is a field has the field's name already.
        backbone = self.backbone or own(name="backbone")
        head = DecoupledHead(
            self.num_classes, int(256 * self.width), block, spatial, self.dtype, name="head"
        )
        features = backbone(images, train=train)
        if not set(STRIDES) <= set(features):
            raise ValueError(
                f"the backbone must have features at strides {STRIDES}, got {tuple(features)}"
            )
        return head(pyramid(name="neck")(features, train=train), train=train)


VARIANTS: dict[str, dict[str, Any]] = {
    "yolox_nano": dict(depth=0.33, width=0.25, depthwise=True),
    "yolox_tiny": dict(depth=0.33, width=0.375),
    "yolox_s": dict(depth=0.33, width=0.50),
    "yolox_m": dict(depth=0.67, width=0.75),
    "yolox_l": dict(depth=1.0, width=1.0),
    "yolox_x": dict(depth=1.33, width=1.25),
    "yolox_darknet53": dict(darknet53=True),
}


def yolox(variant: str, *, num_classes: int, **overrides: Any) -> YOLOX:
    """Builds a detector from a row of `VARIANTS`; keywords replace single fields.

    Args:
        variant: A name of `VARIANTS`, with or without its `yolox_`.
        num_classes: K.
        **overrides: Fields of `YOLOX`.

    Raises:
        ValueError: If there is no such variant.
    """
    fields = detector_fields("yolox_", variant, VARIANTS)
    return YOLOX(num_classes=num_classes, **(fields | overrides))
