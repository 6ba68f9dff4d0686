"""YOLOv4 and YOLOv4-tiny.

YOLOv4, Bochkovskiy et al. 2020, https://arxiv.org/abs/2004.10934, section 3.4; the tiny one:
Scaled-YOLOv4, Wang et al. 2020, https://arxiv.org/abs/2011.08036, section 4.4. Equal to the
authors' yolov4.cfg and yolov4-tiny.cfg. Departs from their code: images hold values 0 to 255,
divided by 255 inside.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.csp import ConvFactory
from jaxvision.layers.pooling import max_pool
from jaxvision.models.backbones.csp_darknet53 import CSPDarknet53
from jaxvision.models.backbones.darknet import DETECTOR_NORM, darknet_conv
from jaxvision.models.detection.detector_output import DetectorOutput, anchor_output
from jaxvision.models.detection.normalized import normalized
from jaxvision.models.detection.yolov3 import TinyHead, predict
from jaxvision.models.variant import detector_fields
from jaxvision.ops.resize import upsample_nearest


class YOLOv4Head(nn.Module):
    """Spatial pyramid pooling, a top-down path, then a bottom-up path with predictions.

    Attributes:
        outputs: Channels of a prediction.
        conv: Factory of convolution blocks.
        dtype: Of the computation.
    """

    outputs: int
    conv: ConvFactory
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, features: Mapping[int, jax.Array], *, train: bool) -> dict[int, jax.Array]:
        """Maps {8, 16, 32: features} to {8, 16, 32: [B, H, W, outputs]}."""

        def chain(x: jax.Array, width: int, kernels: tuple[int, ...], name: str) -> jax.Array:
            for i, kernel in enumerate(kernels, start=1):
                channels = width if kernel == 1 else 2 * width
                x = self.conv(channels, kernel, name=f"{name}_conv{i}")(x, train=train)
            return x

        x = chain(features[32], 512, (1, 3, 1), "before_pooling")
        pools = [max_pool(x, window=w, stride=1, padding=w // 2) for w in (13, 9, 5)]
        x = chain(jnp.concatenate([*pools, x], axis=-1), 512, (1, 3, 1), "after_pooling")
        down = {32: x}
        for stride, width in ((16, 256), (8, 128)):
            x = self.conv(width, 1, name=f"top_down{stride}_coarse")(x, train=train)
            fine = self.conv(width, 1, name=f"top_down{stride}_fine")(features[stride], train=train)
            x = jnp.concatenate([fine, upsample_nearest(x)], axis=-1)
            x = chain(x, width, (1, 3, 1, 3, 1), f"top_down{stride}")
            down[stride] = x
        maps = {8: predict(self, x, 256, 8, train=train)}
        for stride, width in ((16, 256), (32, 512)):
            x = self.conv(width, 3, 2, name=f"bottom_up{stride}_downsample")(x, train=train)
            x = jnp.concatenate([x, down[stride]], axis=-1)
            x = chain(x, width, (1, 3, 1, 3, 1), f"bottom_up{stride}")
            maps[stride] = predict(self, x, 2 * width, stride, train=train)
        return maps


class PartialBlock(nn.Module):
    """The tiny backbone's block: the second half of the channels goes through two convolutions.

    Attributes:
        conv: Factory of convolution blocks.
    """

    conv: ConvFactory

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, jax.Array]:
        """Maps [B, H, W, C] to [B, H, W, 2 * C], and to the [B, H, W, C] that it adds."""
        channels = x.shape[-1]
        x = self.conv(channels, 3, name="spatial")(x, train=train)
        first = self.conv(channels // 2, 3, name="half1")(x[..., channels // 2 :], train=train)
        second = self.conv(channels // 2, 3, name="half2")(first, train=train)
        y = self.conv(channels, 1, name="fuse")(jnp.concatenate([second, first], -1), train=train)
        return jnp.concatenate([x, y], axis=-1), y


class CSPDarknetTiny(nn.Module):
    """Two strided convolutions, three partial blocks with max pooling behind, one convolution.

    Attributes:
        conv: Factory of convolution blocks.
        dtype: Of the computation.
    """

    conv: ConvFactory
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps images [B, H, W, 3] to {16: [.., 256], 32: [.., 512]}."""
        x = self.conv(32, 3, 2, name="stem1")(images.astype(self.dtype), train=train)
        x = self.conv(64, 3, 2, name="stem2")(x, train=train)
        added = x
        for i in (1, 2, 3):
            x, added = PartialBlock(self.conv, name=f"block{i}")(x, train=train)
            x = max_pool(x, window=2, stride=2)
        return {16: added, 32: self.conv(512, 3, name="last")(x, train=train)}


class YOLOv4(nn.Module):
    """Backbone and head.

    Attributes:
        num_classes: K.
        tiny: Whether it is YOLOv4-tiny, with maps at strides 16 and 32 alone.
        anchors_per_cell: Anchors of a cell of each map.
        backbone: Replaces CSPDarknet53 with Mish: any network to {8, 16, 32: features}.
        image_mean: Subtracted from the images' channels.
        image_std: The channels are divided by it after that.
        dtype: Of the computation; parameters, statistics and predictions are float32.
    """

    num_classes: int
    tiny: bool = False
    anchors_per_cell: int = 3
    backbone: nn.Module | None = None
    image_mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    image_std: tuple[float, float, float] = (255.0, 255.0, 255.0)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> DetectorOutput:
        """Maps RGB images [B, H, W, 3] with values 0 to 255 to predictions for A anchors.

        A is three times the number of cells at strides 8, 16 and 32: 22,743 at 608 x 608.

        Raises:
            ValueError: If H or W is not a multiple of 32.
        """
        images = normalized(images, self.image_mean, self.image_std)
        conv = darknet_conv(norm=DETECTOR_NORM, dtype=self.dtype)
        outputs = self.anchors_per_cell * (5 + self.num_classes)
        if self.tiny:
            own: nn.Module = CSPDarknetTiny(conv, self.dtype, name="backbone")
            head: Any = TinyHead(outputs, conv, dtype=self.dtype, name="head")
        else:
            own = CSPDarknet53(
                act=jax.nn.mish, norm=DETECTOR_NORM, dtype=self.dtype, name="backbone"
            )
            head = YOLOv4Head(outputs, conv, self.dtype, name="head")
        backbone: Any = self.backbone or own
        features = backbone(images, train=train)
        maps = head(features, train=train)
        return anchor_output([maps[stride] for stride in sorted(maps)], self.anchors_per_cell)


VARIANTS: dict[str, dict[str, Any]] = {"yolov4": dict(), "yolov4_tiny": dict(tiny=True)}


def yolov4(variant: str, *, num_classes: int, **overrides: Any) -> YOLOv4:
    """Builds a detector from a row of `VARIANTS`; keywords replace single fields.

    Args:
        variant: A name of `VARIANTS`, with or without its `yolov4`.
        num_classes: K.
        **overrides: Fields of `YOLOv4`.

    Raises:
        ValueError: If there is no such variant.
    """
    fields = detector_fields("yolov4", variant, VARIANTS)
    return YOLOv4(num_classes=num_classes, **(fields | overrides))
