"""Darknet-19, the backbone of YOLOv2.

YOLO9000, Redmon and Farhadi 2016, https://arxiv.org/abs/1612.08242, table 6, after the authors'
darknet19.cfg. Kernels start from N(0, 2 / fan_in) as their code draws them.

Departs from the paper:
    The last 1 x 1 convolution, linear and with bias, comes after the global average instead of
    before: the same function for less work.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import Norm
from jaxvision.layers.pooling import max_pool
from jaxvision.models.backbones.darknet import darknet_conv, he_normal
from jaxvision.models.backbones.pooled_classifier import PooledClassifier
from jaxvision.models.variant import fields_of


class Darknet19(nn.Module):
    """A stem and five stages of max pooling and alternating 3 x 3 and 1 x 1 convolutions.

    Attributes:
        depths: Convolutions of the stages at strides 2, 4, 8, 16 and 32, odd.
        norm: Factory of the normalisation.
        dtype: Of the computation; parameters and statistics are float32.
    """

    depths: tuple[int, ...] = (1, 3, 3, 5, 5)
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps images [B, H, W, 3] to {stride: [B, ceil(H / stride), ceil(W / stride), C]}.

        C is 32 * stride, strides 2 to 32: 64 to 1024 channels.
        """
        conv = darknet_conv(norm=self.norm, dtype=self.dtype)
        features = 32
        x = conv(features, 3, name="stem")(images.astype(self.dtype), train=train)
        outputs = {}
        for stage, depth in enumerate(self.depths, start=1):
            features *= 2
            x = max_pool(x, window=2, stride=2, ceil_mode=True)
            for i in range(depth):
                # The 1 x 1 convolutions between the 3 x 3 compress to half the channels.
                width, kernel = (features // 2, 1) if i % 2 else (features, 3)
                x = conv(width, kernel, name=f"stage{stage}_conv{i + 1}")(x, train=train)
            outputs[2**stage] = x
        return outputs


VARIANTS: dict[str, dict[str, Any]] = {
    "darknet19": dict(depths=(1, 3, 3, 5, 5)),
}


def darknet19(variant: str = "darknet19", **overrides: Any) -> Darknet19:
    """Builds a backbone from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return Darknet19(**(fields_of(variant, VARIANTS) | overrides))


def darknet19_classifier(
    variant: str = "darknet19", *, num_classes: int = 1000, **overrides: Any
) -> PooledClassifier:
    """Builds a classifier with K = `num_classes` on `darknet19(variant, **overrides)`.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return PooledClassifier(darknet19(variant, **overrides), num_classes, kernel_init=he_normal)
