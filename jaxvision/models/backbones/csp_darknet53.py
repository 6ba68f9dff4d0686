"""CSPDarknet53, the backbone of YOLOv4: Darknet-53 with cross stage partial connections.

CSPNet, Wang et al. 2019, https://arxiv.org/abs/1911.11929, and YOLOv4, Bochkovskiy et al. 2020,
https://arxiv.org/abs/2004.10934. Equal to timm's `cspdarknet53` but for the slope. It is not the
CSPDarknet of YOLOv5 and YOLOX, which has another stem, other depths and spatial pyramid pooling.

Departs from the paper:
    One 1 x 1 convolution, split in two, stands for the two that feed the block path and the
    bypass, as in timm; the function is the same.
    Leaky ReLU of slope 0.1 as in the authors' csdarknet53-omega.cfg; YOLOv4's own backbone has
    Mish, timm's weights are for a slope of 0.01 (`act`).
    The last normalisation of a residual branch starts at 1, in timm at 0.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import Activation, ConvNormAct, Norm
from jaxvision.layers.csp import Bottleneck, ConvFactory
from jaxvision.layers.initializers import he_normal_fan_out
from jaxvision.models.backbones.darknet import DarknetBlock
from jaxvision.models.backbones.pooled_classifier import PooledClassifier
from jaxvision.models.variant import fields_of

leaky_relu = functools.partial(nn.leaky_relu, negative_slope=0.1)


class CSPStage(nn.Module):
    """A stride-2 convolution, then residual blocks on one half of the channels.

    Attributes:
        features: Output channels.
        depth: Number of residual blocks.
        conv: Factory of convolution blocks.
        first: Whether it is the first stage, whose halves are as wide as the stage itself and
            whose blocks narrow to half of that.
    """

    features: int
    depth: int
    conv: ConvFactory
    first: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, ceil(H / 2), ceil(W / 2), features]."""
        half = self.features if self.first else self.features // 2
        x = self.conv(self.features, 3, 2, name="downsample")(x, train=train)
        x = self.conv(2 * half, 1, name="split")(x, train=train)
        bypass, main = jnp.split(x, 2, axis=-1)
        for i in range(self.depth):
            name = f"block{i + 1}"
            if self.first:
                block = DarknetBlock(self.conv, name=name)
            else:
                block = Bottleneck(half, self.conv, self.conv, name=name)
            main = block(main, train=train)
        main = self.conv(half, 1, name="main")(main, train=train)
        x = jnp.concatenate([bypass, main], axis=-1)
        return self.conv(self.features, 1, name="fuse")(x, train=train)


class CSPDarknet53(nn.Module):
    """A stem and five CSP stages at strides 2, 4, 8, 16 and 32.

    Attributes:
        depths: Residual blocks of the stages.
        act: Activation after every convolution.
        norm: Factory of the normalisation.
        dtype: Of the computation; parameters and statistics are float32.
    """

    depths: tuple[int, ...] = (1, 2, 8, 8, 4)
    act: Activation = leaky_relu
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps images [B, H, W, 3] to {stride: [B, ceil(H / stride), ceil(W / stride), C]}.

        C is 32 * stride, strides 2 to 32: 64 to 1024 channels.
        """
        conv = functools.partial(
            ConvNormAct,
            act=self.act,
            norm=self.norm,
            kernel_init=he_normal_fan_out(),
            dtype=self.dtype,
        )
        features = 32
        x = conv(features, 3, name="stem")(images.astype(self.dtype), train=train)
        outputs = {}
        for stage, depth in enumerate(self.depths, start=1):
            features *= 2
            x = CSPStage(features, depth, conv, first=stage == 1, name=f"stage{stage}")(
                x, train=train
            )
            outputs[2**stage] = x
        return outputs


VARIANTS: dict[str, dict[str, Any]] = {
    "cspdarknet53": dict(depths=(1, 2, 8, 8, 4)),
}


def csp_darknet53(variant: str = "cspdarknet53", **overrides: Any) -> CSPDarknet53:
    """Builds a backbone from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return CSPDarknet53(**(fields_of(variant, VARIANTS) | overrides))


def csp_darknet53_classifier(
    variant: str = "cspdarknet53", *, num_classes: int = 1000, **overrides: Any
) -> PooledClassifier:
    """Builds a classifier with K = `num_classes` on `csp_darknet53(variant, **overrides)`.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return PooledClassifier(csp_darknet53(variant, **overrides), num_classes)
