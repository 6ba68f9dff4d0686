"""Darknet-53, the backbone of YOLOv3, and the ImageNet classifier on it.

YOLOv3, Redmon and Farhadi 2018, https://arxiv.org/abs/1804.02767, table 1. YOLOX puts YOLOv3-SPP's
block of five convolutions around spatial pyramid pooling on top of it. As a classifier it is the
authors' darknet53.cfg; kernels start from N(0, 2 / fan_in) as their code draws them.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import Activation, ConvNormAct, Norm
from jaxvision.layers.csp import ConvFactory
from jaxvision.layers.spatial_pyramid_pooling import SpatialPyramidPooling
from jaxvision.models.backbones.pooled_classifier import PooledClassifier
from jaxvision.models.variant import fields_of

he_normal = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
leaky_relu = functools.partial(nn.leaky_relu, negative_slope=0.1)
# The authors' detectors move their statistics by a hundredth a step.
DETECTOR_NORM = functools.partial(BatchNorm, momentum=0.99)


def darknet_conv(
    act: Activation = leaky_relu, norm: Norm = BatchNorm, dtype: jnp.dtype = jnp.float32
) -> ConvFactory:
    """Returns a factory of the authors' convolution blocks: kernels from N(0, 2 / fan_in)."""
    return functools.partial(ConvNormAct, act=act, norm=norm, kernel_init=he_normal, dtype=dtype)


class DarknetBlock(nn.Module):
    """1 x 1 to half the channels, 3 x 3 back, plus identity.

    Attributes:
        conv: Factory of convolution blocks.
    """

    conv: ConvFactory

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, H, W, C]."""
        y = self.conv(x.shape[-1] // 2, 1, name="reduce")(x, train=train)
        y = self.conv(x.shape[-1], 3, name="spatial")(y, train=train)
        return x + y


class Darknet(nn.Module):
    """A stem and five stages of a stride-2 convolution and residual blocks.

    Attributes:
        depths: Residual blocks of the stages at strides 2, 4, 8, 16 and 32.
        conv: Factory of convolution blocks.
        pyramid_pooling: Whether the last stage ends with YOLOv3-SPP's block, which halves its
            channels.
        dtype: Of the computation.
    """

    conv: ConvFactory
    depths: tuple[int, ...] = (1, 2, 8, 8, 4)
    pyramid_pooling: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps images [B, H, W, 3] to {2, 4, 8, 16, 32: features}."""
        features = 32
        x = self.conv(features, 3, name="stem")(images.astype(self.dtype), train=train)

        outputs = {}
        for stage, blocks in enumerate(self.depths, start=1):
            features *= 2
            x = self.conv(features, 3, 2, name=f"stage{stage}_downsample")(x, train=train)
            for i in range(blocks):
                x = DarknetBlock(self.conv, name=f"stage{stage}_block{i + 1}")(x, train=train)
            outputs[2**stage] = x

        if self.pyramid_pooling:
            half = features // 2
            x = self.conv(half, 1, name="spp_conv1")(x, train=train)
            x = self.conv(features, 3, name="spp_conv2")(x, train=train)
            x = SpatialPyramidPooling(half, self.conv, name="spp")(x, train=train)
            x = self.conv(features, 3, name="spp_conv3")(x, train=train)
            x = self.conv(half, 1, name="spp_conv4")(x, train=train)
            outputs[2**stage] = x
        return outputs


VARIANTS: dict[str, dict[str, Any]] = {
    "darknet53": dict(depths=(1, 2, 8, 8, 4)),
}


def darknet(
    variant: str,
    *,
    negative_slope: float = 0.1,
    norm: Norm = BatchNorm,
    dtype: jnp.dtype = jnp.float32,
    **overrides: Any,
) -> Darknet:
    """Builds a backbone from a row of `VARIANTS`; keywords replace single fields.

    Args:
        variant: A name of `VARIANTS`.
        negative_slope: Of the leaky ReLU after every convolution.
        norm: Factory of the normalisation.
        dtype: Of the computation.
        **overrides: Fields of `Darknet`.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    act = functools.partial(nn.leaky_relu, negative_slope=negative_slope)
    conv = darknet_conv(act, norm, dtype)
    fields: dict[str, Any] = dict(conv=conv, dtype=dtype)
    return Darknet(**(fields | fields_of(variant, VARIANTS) | overrides))


def darknet_classifier(
    variant: str, *, num_classes: int = 1000, **overrides: Any
) -> PooledClassifier:
    """Builds a classifier on `darknet(variant, **overrides)`.

    Args:
        variant: A name of `VARIANTS`.
        num_classes: K.
        **overrides: What `darknet` takes.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return PooledClassifier(darknet(variant, **overrides), num_classes, kernel_init=he_normal)
