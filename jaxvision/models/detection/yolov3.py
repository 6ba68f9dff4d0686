"""YOLOv3, YOLOv3-SPP and YOLOv3-tiny.

YOLOv3: An Incremental Improvement, Redmon and Farhadi 2018, https://arxiv.org/abs/1804.02767,
section 2.3. Equal to the authors' yolov3.cfg, yolov3-spp.cfg and yolov3-tiny.cfg; `yolov3_nano` is
ours, for small images: yolov3-tiny with half the channels. Departs from their code: images hold
values 0 to 255, divided by 255 inside.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.convolution import Conv
from jaxvision.layers.csp import ConvFactory
from jaxvision.layers.pooling import max_pool
from jaxvision.models.backbones.darknet import DETECTOR_NORM, Darknet, darknet_conv, he_normal
from jaxvision.models.backbones.darknet_tiny import DarknetTiny
from jaxvision.models.detection.detector_output import DetectorOutput, anchor_output
from jaxvision.models.detection.normalized import normalized
from jaxvision.models.variant import detector_fields
from jaxvision.ops.resize import upsample_nearest


class YOLOv3Head(nn.Module):
    """A top-down path; each map has a few convolutions and a prediction of its own.

    Attributes:
        outputs: Channels of a prediction.
        conv: Factory of convolution blocks.
        pyramid_pooling: Whether the coarsest map is pooled over windows of 5, 9 and 13 cells.
        dtype: Of the computation.
    """

    outputs: int
    conv: ConvFactory
    pyramid_pooling: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, features: Mapping[int, jax.Array], *, train: bool) -> dict[int, jax.Array]:
        """Maps {8, 16, 32: features} to {8, 16, 32: [B, H, W, outputs]}."""
        x, maps = features[32], {}
        for stride, width in ((32, 512), (16, 256), (8, 128)):
            if stride < 32:
                x = self.conv(width, 1, name=f"stride{stride}_lateral")(x, train=train)
                x = jnp.concatenate([upsample_nearest(x), features[stride]], axis=-1)
            pooled = self.pyramid_pooling and stride == 32
            # Alternately a 1 x 1 convolution and a 3 x 3 one to twice the channels. After pooling a
            # 1 x 1 convolution follows on a 1 x 1 one.
            kernels = (1, 3, 1, 1, 3, 1) if pooled else (1, 3, 1, 3, 1)
            for i, kernel in enumerate(kernels, start=1):
                if pooled and i == 4:
                    pools = [max_pool(x, window=w, stride=1, padding=w // 2) for w in (13, 9, 5)]
                    x = jnp.concatenate([*pools, x], axis=-1)
                channels = width if kernel == 1 else 2 * width
                x = self.conv(channels, kernel, name=f"stride{stride}_conv{i}")(x, train=train)
            maps[stride] = predict(self, x, 2 * width, stride, train=train)
        return maps


def predict(head: Any, x: jax.Array, features: int, stride: int, *, train: bool) -> jax.Array:
    """A 3 x 3 convolution to `features` channels and a linear 1 x 1 one, inside a head."""
    x = head.conv(features, 3, name=f"stride{stride}_spatial")(x, train=train)
    return Conv(
        head.outputs,
        (1, 1),
        kernel_init=he_normal,
        dtype=head.dtype,
        name=f"stride{stride}_predict",
    )(x)


class TinyHead(nn.Module):
    """Two maps, the finer one with one convolution behind the concatenation.

    Attributes: those of `YOLOv3Head`, and
        width: Channels of the coarse map's first convolution.
    """

    outputs: int
    conv: ConvFactory
    width: int = 256
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, features: Mapping[int, jax.Array], *, train: bool) -> dict[int, jax.Array]:
        """Maps {16, 32: features} to {16, 32: [B, H, W, outputs]}."""
        x = self.conv(self.width, 1, name="stride32_conv1")(features[32], train=train)
        coarse = predict(self, x, 2 * self.width, 32, train=train)
        x = self.conv(self.width // 2, 1, name="stride16_lateral")(x, train=train)
        x = jnp.concatenate([upsample_nearest(x), features[16]], axis=-1)
        return {16: predict(self, x, self.width, 16, train=train), 32: coarse}


class YOLOv3(nn.Module):
    """Backbone and head.

    Attributes:
        num_classes: K.
        tiny: Whether it is YOLOv3-tiny, with maps at strides 16 and 32 alone.
        tiny_width: Channels of the tiny network's first convolution.
        pyramid_pooling: Whether it is YOLOv3-SPP.
        anchors_per_cell: Anchors of a cell of each map.
        backbone: Replaces Darknet-53: any network to {8, 16, 32: features}, as `models.backbone`
            builds them.
        image_mean: Subtracted from the images' channels.
        image_std: The channels are divided by it after that.
        dtype: Of the computation; parameters, statistics and predictions are float32.
    """

    num_classes: int
    tiny: bool = False
    tiny_width: int = 16
    pyramid_pooling: bool = False
    anchors_per_cell: int = 3
    backbone: nn.Module | None = None
    image_mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    image_std: tuple[float, float, float] = (255.0, 255.0, 255.0)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> DetectorOutput:
        """Maps RGB images [B, H, W, 3] with values 0 to 255 to predictions for A anchors.

        A is three times the number of cells at strides 8, 16 and 32: 10,647 at 416 x 416.

        Raises:
            ValueError: If H or W is not a multiple of 32.
        """
        images = normalized(images, self.image_mean, self.image_std)
        conv = darknet_conv(norm=DETECTOR_NORM, dtype=self.dtype)
        outputs = self.anchors_per_cell * (5 + self.num_classes)
        if self.tiny:
            own: nn.Module = DarknetTiny(conv, self.tiny_width, self.dtype, name="backbone")
            head: Any = TinyHead(outputs, conv, 16 * self.tiny_width, self.dtype, name="head")
        else:
            own = Darknet(conv, dtype=self.dtype, name="backbone")
            head = YOLOv3Head(outputs, conv, self.pyramid_pooling, self.dtype, name="head")
        backbone: Any = self.backbone or own
        features = backbone(images, train=train)
        maps = head(features, train=train)
        return anchor_output([maps[stride] for stride in sorted(maps)], self.anchors_per_cell)


VARIANTS: dict[str, dict[str, Any]] = {
    "yolov3": dict(),
    "yolov3_spp": dict(pyramid_pooling=True),
    "yolov3_tiny": dict(tiny=True),
    "yolov3_nano": dict(tiny=True, tiny_width=8),
}


def yolov3(variant: str, *, num_classes: int, **overrides: Any) -> YOLOv3:
    """Builds a detector from a row of `VARIANTS`; keywords replace single fields.

    Args:
        variant: A name of `VARIANTS`, with or without its `yolov3`.
        num_classes: K.
        **overrides: Fields of `YOLOv3`.

    Raises:
        ValueError: If there is no such variant.
    """
    fields = detector_fields("yolov3", variant, VARIANTS)
    return YOLOv3(num_classes=num_classes, **(fields | overrides))
