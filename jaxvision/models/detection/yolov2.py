"""YOLOv2: Darknet-19, a passthrough layer and five anchors a cell.

YOLO9000, Redmon and Farhadi 2016, https://arxiv.org/abs/1612.08242, sections 2 and 3. Equal to the
authors' yolov2-voc.cfg and yolov2-tiny-voc.cfg, and their forms for COCO; `yolov2_nano` is ours,
for small images: yolov2-tiny with half the channels.
Departs from the paper, as the authors' code does: the passthrough layer first halves 64 channels
from the finer map, and reorders them in an order of its own (`reorganise`).
Departs from the code: images hold values 0 to 255, divided by 255 inside.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.convolution import Conv
from jaxvision.models.backbones.darknet import DETECTOR_NORM, darknet_conv, he_normal
from jaxvision.models.backbones.darknet19 import Darknet19
from jaxvision.models.backbones.darknet_tiny import DarknetTiny
from jaxvision.models.detection.detector_output import DetectorOutput, anchor_output
from jaxvision.models.detection.normalized import normalized
from jaxvision.models.variant import detector_fields

STRIDE = 32


class YOLOv2(nn.Module):
    """Darknet-19 with the passthrough layer, or a chain of convolutions, and one prediction.

    Attributes:
        num_classes: K.
        tiny: Whether the backbone is the tiny one, without passthrough.
        tiny_width: Channels of the tiny network's first convolution.
        tiny_last: Channels of its last convolution: 1024 for VOC, 512 for COCO.
        anchors_per_cell: Anchors of a cell.
        backbone: Replaces Darknet-19: any network to {16, 32: features}.
        image_mean: Subtracted from the images' channels.
        image_std: The channels are divided by it after that.
        dtype: Of the computation; parameters, statistics and predictions are float32.
    """

    num_classes: int
    tiny: bool = False
    tiny_width: int = 16
    tiny_last: int = 1024
    anchors_per_cell: int = 5
    backbone: nn.Module | None = None
    image_mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    image_std: tuple[float, float, float] = (255.0, 255.0, 255.0)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> DetectorOutput:
        """Maps RGB images [B, H, W, 3] with values 0 to 255 to predictions for A anchors.

        A is five times the number of cells at stride 32: 845 at 416 x 416.

        Raises:
            ValueError: If H or W is not a multiple of 32.
        """
        images = normalized(images, self.image_mean, self.image_std)
        conv = darknet_conv(norm=DETECTOR_NORM, dtype=self.dtype)
        own = (
            DarknetTiny(conv, self.tiny_width, self.dtype, name="backbone")
            if self.tiny
            else Darknet19(norm=DETECTOR_NORM, dtype=self.dtype, name="backbone")
        )
        features = (self.backbone or own)(images, train=train)
        x = features[32]
        if self.tiny:
            x = conv(self.tiny_last, 3, name="head_conv1")(x, train=train)
        else:
            x = conv(1024, 3, name="head_conv1")(x, train=train)
            x = conv(1024, 3, name="head_conv2")(x, train=train)
            fine = conv(64, 1, name="passthrough")(features[16], train=train)
            x = jnp.concatenate([reorganise(fine), x], axis=-1)
            x = conv(1024, 3, name="head_conv3")(x, train=train)
        x = Conv(
            self.anchors_per_cell * (5 + self.num_classes),
            (1, 1),
            kernel_init=he_normal,
            dtype=self.dtype,
            name="head_predict",
        )(x)
        return anchor_output([x], self.anchors_per_cell)


def reorganise(x: jax.Array) -> jax.Array:
    """Darknet's reorg: [B, H, W, C] to [B, H / 2, W / 2, 4 * C].

    Not each 2 x 2 block to one pixel: the code takes the memory of [C, H, W] for that of
    [C / 4, 2 * H, 2 * W], and reorders that. Released weights were trained so.
    """
    batch, height, width, channels = x.shape
    x = x.transpose(0, 3, 1, 2).reshape(batch, channels // 4, height, 2, width, 2)
    # To (dy, dx, channel, row, column), still in the memory's order of another shape.
    x = x.transpose(0, 3, 5, 1, 2, 4)
    return x.reshape(batch, 4 * channels, height // 2, width // 2).transpose(0, 2, 3, 1)


VARIANTS: dict[str, dict[str, Any]] = {
    "yolov2": dict(),
    "yolov2_tiny": dict(tiny=True),
    "yolov2_tiny_coco": dict(tiny=True, tiny_last=512),
    "yolov2_nano": dict(tiny=True, tiny_width=8, tiny_last=512),
}


def yolov2(variant: str, *, num_classes: int, **overrides: Any) -> YOLOv2:
    """Builds a detector from a row of `VARIANTS`; keywords replace single fields.

    Args:
        variant: A name of `VARIANTS`, with or without its `yolov2`.
        num_classes: K.
        **overrides: Fields of `YOLOv2`.

    Raises:
        ValueError: If there is no such variant.
    """
    fields = detector_fields("yolov2", variant, VARIANTS)
    return YOLOv2(num_classes=num_classes, **(fields | overrides))
