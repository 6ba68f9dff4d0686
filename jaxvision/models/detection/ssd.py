"""SSD: boxes and classes straight from maps of several sizes.

SSD: Single Shot MultiBox Detector, Liu et al. 2015, https://arxiv.org/abs/1512.02325, section 2.1
and figure 2. `ssd300_vgg16` is equal to torchvision's, `ssd512_vgg16` has the parameters of the
authors'. `ssd_tiny` is ours, for small machines: YOLOX-Tiny's backbone, batch normalisation.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import ConvNormAct
from jaxvision.layers.convolution import Conv
from jaxvision.layers.initializers import torch_uniform
from jaxvision.layers.pooling import max_pool
from jaxvision.layers.silu import silu
from jaxvision.models.backbones.csp_darknet import CSPDarknet
from jaxvision.models.backbones.vgg import VGG
from jaxvision.models.detection.detector_output import DetectorOutput
from jaxvision.models.detection.normalized import normalized
from jaxvision.models.variant import detector_fields
from jaxvision.ops.default_boxes import DefaultBoxes, Shrink

# ImageNet's mean of RGB in 0 to 255; the network does not divide by a deviation.
IMAGE_MEAN = (122.99925, 116.9991, 103.9992)

SSD300 = DefaultBoxes(
    own_maps=2,
    shrinks=((3, 2, 1), (3, 2, 1), (3, 1, 0), (3, 1, 0)),
    steps=(8, 16, 32, 64, 100, 300),
    scales=(0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05),
    ratios=((2,), (2, 3), (2, 3), (2, 3), (2,), (2,)),
)
SSD512 = DefaultBoxes(
    own_maps=2,
    shrinks=((3, 2, 1), (3, 2, 1), (3, 2, 1), (3, 2, 1), (4, 1, 1)),
    steps=(8, 16, 32, 64, 128, 256, 512),
    scales=(0.07, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.05),
    ratios=((2,), (2, 3), (2, 3), (2, 3), (2, 3), (2,), (2,)),
)
TINY = DefaultBoxes(
    own_maps=3,
    shrinks=((3, 2, 1),),
    steps=(8, 16, 32, 64),
    scales=(0.1, 0.2, 0.4, 0.6, 0.9),
    ratios=((2,), (2, 3), (2, 3), (2,)),
)

conv = functools.partial(Conv, kernel_init=nn.initializers.glorot_uniform())


class SSDVGG(nn.Module):
    """VGG-16 to conv4_3, scaled, its fully connected layers as convolutions, and further maps.

    Attributes:
        shrinks: How the maps behind fc7 are made.
        dtype: Of the computation.
    """

    shrinks: tuple[Shrink, ...]
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> list[jax.Array]:
        """Maps images [B, H, W, 3] to the maps, the finest first."""
        vgg = VGG((2, 2, 3, 3, 3), ceil_pool=True, dtype=self.dtype, name="vgg")
        features = vgg(images, train=train)
        # Its values are larger than those of the deeper maps: each pixel gets the same length.
        fine = features[8].astype(jnp.float32)
        length = jnp.sqrt(jnp.square(fine).sum(axis=-1, keepdims=True))
        scale = self.param("scale", nn.initializers.constant(20.0), (fine.shape[-1],))
        fine = fine / jnp.maximum(length, 1e-12) * scale[None, None, None]

        dense = functools.partial(conv, dtype=self.dtype)
        x = max_pool(features[16], window=3, stride=1, padding=1)
        x = nn.relu(dense(1024, (3, 3), padding=6, kernel_dilation=6, name="fc6")(x))
        x = nn.relu(dense(1024, (1, 1), name="fc7")(x))
        maps = [fine.astype(self.dtype), x]
        for i, (kernel, stride, padding) in enumerate(self.shrinks, start=1):
            width = 256 if i == 1 else 128
            x = nn.relu(dense(width, (1, 1), name=f"extra{i}_reduce")(x))
            x = dense(
                2 * width,
                (kernel, kernel),
                strides=stride,
                padding=padding,
                name=f"extra{i}_spatial",
            )(x)
            x = nn.relu(x)
            maps.append(x)
        return maps


class SSDTiny(nn.Module):
    """YOLOX-Tiny's backbone and further maps.

    Attributes:
        shrinks: How the maps behind stride 32 are made.
        dtype: Of the computation.
    """

    shrinks: tuple[Shrink, ...]
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> list[jax.Array]:
        """Maps images [B, H, W, 3] to the maps, the finest first."""
        block = functools.partial(
            ConvNormAct, norm=BatchNorm, act=silu, kernel_init=torch_uniform(), dtype=self.dtype
        )
        features = CSPDarknet(0.33, 0.375, block, block, self.dtype, name="darknet")(
            images / 58.0, train=train
        )
        maps = [features[stride] for stride in sorted(features)]
        for i, (kernel, stride, padding) in enumerate(self.shrinks, start=1):
            width = maps[-1].shape[-1] // 2
            x = block(width, 1, name=f"extra{i}_reduce")(maps[-1], train=train)
            x = block(2 * width, kernel, stride, padding=padding, name=f"extra{i}_spatial")(
                x, train=train
            )
            maps.append(x)
        return maps


class SSD(nn.Module):
    """Maps, and of each a convolution to offsets and one to classes.

    Attributes:
        num_classes: K, without the background.
        layout: Maps and default boxes.
        tiny: Whether it is on the small backbone.
        image_mean: Subtracted from the images' channels.
        image_std: The channels are divided by it after that.
        dtype: Of the computation; parameters and predictions are float32.
    """

    num_classes: int
    layout: DefaultBoxes = SSD300
    tiny: bool = False
    image_mean: tuple[float, float, float] = IMAGE_MEAN
    image_std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> DetectorOutput:
        """Maps RGB images [B, H, W, 3] with values 0 to 255 to predictions for A default boxes.

        A is 8732 at 300 x 300 and 24,564 at 512 x 512. The logits [B, A, 1 + K] begin with the
        background's.
        """
        images = normalized(images, self.image_mean, self.image_std, multiple=1)
        backbone = SSDTiny if self.tiny else SSDVGG
        maps = backbone(self.layout.shrinks, self.dtype, name="backbone")(images, train=train)

        def predict(outputs: int, kind: str) -> jax.Array:
            levels = []
            for i, (x, boxes) in enumerate(zip(maps, self.layout.per_cell, strict=True), start=1):
                x = conv(
                    boxes * outputs, (3, 3), padding=1, dtype=self.dtype, name=f"map{i}_{kind}"
                )(x)
                x = x.astype(jnp.float32)
                levels.append(rearrange(x, "b h w (a k) -> b (h w a) k", a=boxes))
            return jnp.concatenate(levels, axis=1)

        return DetectorOutput(predict(4, "box"), predict(1 + self.num_classes, "class"))


VARIANTS: dict[str, dict[str, Any]] = {
    "ssd300_vgg16": dict(layout=SSD300),
    "ssd512_vgg16": dict(layout=SSD512),
    "ssd_tiny": dict(layout=TINY, tiny=True),
}


def ssd(variant: str, *, num_classes: int, **overrides: Any) -> SSD:
    """Builds a detector from a row of `VARIANTS`; keywords replace single fields.

    Args:
        variant: A name of `VARIANTS`, with or without its `ssd`.
        num_classes: K, without the background.
        **overrides: Fields of `SSD`.

    Raises:
        ValueError: If there is no such variant.
    """
    fields = detector_fields("ssd", variant, VARIANTS)
    return SSD(num_classes=num_classes, **(fields | overrides))
