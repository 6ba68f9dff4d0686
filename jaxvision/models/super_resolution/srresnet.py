"""SRResNet, the generator of SRGAN.

Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network, Ledig et al.
2016, https://arxiv.org/abs/1609.04802, figure 4. Equal to Lornatang/SRGAN-PyTorch's `SRResNet`.

Departs from the paper: as there, results are in [0, 1], not in [-1, 1], convolutions before a
normalisation have no biases, and there is one slope of PReLU for all channels of a layer.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.bicubic import enlarge_bicubic
from jaxvision.layers.conv import ConvNormAct
from jaxvision.layers.convolution import Conv
from jaxvision.layers.prelu import PReLU
from jaxvision.models.variant import fields_of
from jaxvision.ops.resize import pixel_shuffle

# Factors of the layers that enlarge.
_STAGES = {1: (), 2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}


def stages(scale: int) -> tuple[int, ...]:
    """Returns the factors of the layers that together enlarge by `scale`.

    Raises:
        ValueError: If there are none.
    """
    if scale not in _STAGES:
        raise ValueError(f"scale must be one of {', '.join(map(str, _STAGES))}, got {scale}")
    return _STAGES[scale]


class SRResNet(nn.Module):
    """Residual blocks at low resolution, then pixel shuffles.

    Attributes:
        scale: Pixels of the result along one of the picture.
        blocks: Residual blocks.
        features: Channels.
        channels: Of the picture.
        residual: Whether the result is added to the bicubic enlargement; ours, which a short
            training needs.
        dtype: Of the computation; parameters are float32.
    """

    scale: int = 4
    blocks: int = 16
    features: int = 64
    channels: int = 3
    residual: bool = False
    dtype: jnp.dtype = jnp.float32

    @property
    def interpolates(self) -> bool:
        """Whether the network takes pictures that are interpolated to the size of the result."""
        return False

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps pictures [B, H, W, C] in [0, 1] to [B, s * H, s * W, C] float32, not clipped."""
        he = nn.initializers.he_normal()
        conv = functools.partial(Conv, padding="SAME", kernel_init=he, dtype=self.dtype)
        norm_conv = functools.partial(
            ConvNormAct,
            self.features,
            act=None,
            # Momentum and epsilon of PyTorch.
            norm=BatchNorm,
            kernel_init=he,
            dtype=self.dtype,
        )
        x = conv(self.features, (9, 9), name="stem")(images.astype(self.dtype))
        shortcut = x = PReLU(name="stem_act")(x)
        for i in range(1, self.blocks + 1):
            y = norm_conv(name=f"block{i}_first")(x, train=train)
            y = PReLU(name=f"block{i}_act")(y)
            x = x + norm_conv(name=f"block{i}_second")(y, train=train)
        x = shortcut + norm_conv(name="trunk")(x, train=train)
        for i, factor in enumerate(stages(self.scale), start=1):
            x = conv(self.features * factor**2, (3, 3), name=f"upsample{i}")(x)
            x = PReLU(name=f"upsample{i}_act")(pixel_shuffle(x, factor))
        # Of a residual, a small last layer: the network begins as the enlargement.
        init = nn.initializers.variance_scaling(0.01, "fan_in", "normal") if self.residual else he
        x = conv(self.channels, (9, 9), kernel_init=init, name="head")(x).astype(jnp.float32)
        return x + enlarge_bicubic(images, self.scale) if self.residual else x


VARIANTS: dict[str, dict[str, Any]] = {
    "srresnet_x2": dict(scale=2),
    "srresnet_x3": dict(scale=3),
    "srresnet_x4": dict(scale=4),
    # Ours, for a CPU.
    "srresnet_small_x2": dict(scale=2, blocks=4, features=24, residual=True),
    "srresnet_small_x3": dict(scale=3, blocks=4, features=24, residual=True),
    "srresnet_small_x4": dict(scale=4, blocks=4, features=24, residual=True),
}


def srresnet(variant: str, **overrides: Any) -> SRResNet:
    """Builds a network from a row of `VARIANTS`; keywords replace single fields."""
    return SRResNet(**(fields_of(variant, VARIANTS) | overrides))
