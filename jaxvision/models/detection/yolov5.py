"""YOLOv5: an anchor-based detector with a coupled head.

There is no paper; equal to the networks of release v7.0, whose facts are those of its
configuration files. Departs from it: images hold values 0 to 255, divided by 255 inside.
"""

import functools
import math
from collections.abc import Mapping
from typing import Any, cast

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import ConvNormAct
from jaxvision.layers.convolution import Conv
from jaxvision.layers.csp import CSPLayer
from jaxvision.layers.initializers import torch_uniform, uniform_bias
from jaxvision.layers.silu import silu
from jaxvision.models.backbones.csp_darknet_v6 import CSPDarknetV6, scaled
from jaxvision.models.detection.detector_output import DetectorOutput, anchor_output
from jaxvision.models.detection.normalized import normalized
from jaxvision.models.detection.pyramid import PAFPN
from jaxvision.models.variant import detector_fields

STRIDES = (8, 16, 32)


class CoupledHead(nn.Module):
    """A 1 x 1 convolution a level that predicts box, objectness and classes of every anchor.

    Attributes:
        num_classes: K.
        anchors_per_cell: Anchors of a cell.
        dtype: Of the computation; predictions are float32.
    """

    num_classes: int
    anchors_per_cell: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, features: Mapping[int, jax.Array]) -> DetectorOutput:
        """Maps {stride: [B, H, W, C]} to predictions for A anchors."""
        maps = [
            Conv(
                self.anchors_per_cell * (5 + self.num_classes),
                (1, 1),
                kernel_init=torch_uniform(),
                bias_init=self._bias(stride, x.shape[-1]),
                dtype=self.dtype,
                name=f"stride{stride}",
            )(x)
            for stride, x in sorted(features.items())
        ]
        return anchor_output(maps, self.anchors_per_cell)

    def _bias(self, stride: int, fan_in: int) -> nn.initializers.Initializer:
        """Eight objects an image of 640 x 640, and six tenths of a class an object."""
        objectness = math.log(8 / (640 / stride) ** 2)
        classes = math.log(0.6 / (self.num_classes - 0.99999))

        def init(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
            bias = uniform_bias(fan_in)(key, shape, dtype).reshape(self.anchors_per_cell, -1)
            bias = bias.at[:, 4].add(objectness).at[:, 5:].add(classes)
            return bias.reshape(shape)

        return init


class YOLOv5(nn.Module):
    """Backbone, feature pyramid and coupled head.

    Attributes:
        num_classes: K.
        depth: Multiplies the number of blocks.
        width: Multiplies the channels.
        anchors_per_cell: Anchors of a cell of each level.
        backbone: Replaces the authors': any network to {8, 16, 32: features}, as `models.backbone`
            builds them. The pyramid has its channels.
        image_mean: Subtracted from the images' channels.
        image_std: The channels are divided by it after that.
        dtype: Of the computation; parameters, statistics and predictions are float32.
    """

    num_classes: int
    depth: float = 1.0
    width: float = 1.0
    anchors_per_cell: int = 3
    backbone: nn.Module | None = None
    image_mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    image_std: tuple[float, float, float] = (255.0, 255.0, 255.0)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> DetectorOutput:
        """Maps RGB images [B, H, W, 3] with values 0 to 255 to predictions for A anchors.

        A is three times the number of cells at strides 8, 16 and 32: 25,200 at 640 x 640.

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
        features, depths = scaled(self.depth, self.width, blocks=(3, 6, 9, 3))
        backbone = self.backbone or CSPDarknetV6(
            cast(Any, features),
            cast(Any, depths),
            conv,
            CSPLayer,
            stem_kernel=6,
            stem_padding=2,
            dtype=self.dtype,
            name="backbone",
        )
        levels = backbone(images, train=train)
        levels = PAFPN(self.depth, conv, conv, name="neck")(levels, train=train)
        return CoupledHead(self.num_classes, self.anchors_per_cell, self.dtype, name="head")(levels)


VARIANTS: dict[str, dict[str, Any]] = {
    "yolov5n": dict(depth=0.33, width=0.25),
    "yolov5s": dict(depth=0.33, width=0.50),
    "yolov5m": dict(depth=0.67, width=0.75),
    "yolov5l": dict(depth=1.0, width=1.0),
    "yolov5x": dict(depth=1.33, width=1.25),
}


def yolov5(variant: str, *, num_classes: int, **overrides: Any) -> YOLOv5:
    """Builds a detector from a row of `VARIANTS`; keywords replace single fields.

    Args:
        variant: A name of `VARIANTS`, with or without its `yolov5`.
        num_classes: K.
        **overrides: Fields of `YOLOv5`.

    Raises:
        ValueError: If there is no such variant.
    """
    fields = detector_fields("yolov5", variant, VARIANTS)
    return YOLOv5(num_classes=num_classes, **(fields | overrides))
