"""RRDBNet, the generator of ESRGAN: residual-in-residual dense blocks without normalisation.

ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks, Wang et al. 2018,
https://arxiv.org/abs/1809.00219, figures 3 and 4. Equal to xinntao/ESRGAN's.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.convolution import Conv
from jaxvision.models.super_resolution.srresnet import stages
from jaxvision.models.variant import fields_of
from jaxvision.ops.resize import upsample_nearest

# Of each residual branch, beta in the paper.
_RESIDUAL = 0.2
# Kernels start at a tenth of He's (section 3.1, smaller initialisation): a hundredth of the
# variance.
_INIT = nn.initializers.variance_scaling(2.0 * 0.01, "fan_in", "normal")


def _leaky(x: jax.Array) -> jax.Array:
    return nn.leaky_relu(x, 0.2)


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees the results of all before it, and a shortcut.

    Attributes:
        growth: Channels of the first four.
        dtype: Of the computation.
    """

    growth: int = 32
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [B, H, W, C] to [B, H, W, C]."""
        conv = functools.partial(Conv, padding="SAME", kernel_init=_INIT, dtype=self.dtype)
        seen = x
        for i in range(1, 5):
            y = _leaky(conv(self.growth, (3, 3), name=f"conv{i}")(seen))
            seen = jnp.concatenate([seen, y], axis=-1)
        return x + _RESIDUAL * conv(x.shape[-1], (3, 3), name="conv5")(seen)


class RRDB(nn.Module):
    """Three dense blocks and a shortcut.

    Attributes: those of `DenseBlock`.
    """

    growth: int = 32
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [B, H, W, C] to [B, H, W, C]."""
        y = x
        for i in range(1, 4):
            y = DenseBlock(self.growth, self.dtype, name=f"dense{i}")(y)
        return x + _RESIDUAL * y


class RRDBNet(nn.Module):
    """RRDBs at low resolution, then nearest-neighbour enlargement and convolutions.

    Attributes:
        scale: Pixels of the result along one of the picture.
        blocks: RRDBs.
        features: Channels.
        growth: Channels that a convolution adds in a dense block.
        channels: Of the picture.
        dtype: Of the computation; parameters are float32.
    """

    scale: int = 4
    blocks: int = 23
    features: int = 64
    growth: int = 32
    channels: int = 3
    dtype: jnp.dtype = jnp.float32

    @property
    def interpolates(self) -> bool:
        """Whether the network takes pictures that are interpolated to the size of the result."""
        return False

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps pictures [B, H, W, C] in [0, 1] to [B, s * H, s * W, C] float32, not clipped."""
        del train  # nothing is random or normalised
        conv = functools.partial(Conv, padding="SAME", kernel_init=_INIT, dtype=self.dtype)
        x = shortcut = conv(self.features, (3, 3), name="stem")(images.astype(self.dtype))
        for i in range(1, self.blocks + 1):
            x = RRDB(self.growth, self.dtype, name=f"block{i}")(x)
        x = shortcut + conv(self.features, (3, 3), name="trunk")(x)
        for i, factor in enumerate(stages(self.scale), start=1):
            enlarged = upsample_nearest(x, factor)
            x = _leaky(conv(self.features, (3, 3), name=f"upsample{i}")(enlarged))
        x = _leaky(conv(self.features, (3, 3), name="head1")(x))
        return conv(self.channels, (3, 3), name="head2")(x).astype(jnp.float32)


VARIANTS: dict[str, dict[str, Any]] = {
    "rrdbnet": dict(blocks=23),
    "rrdbnet_16": dict(blocks=16),
    # Small ones for a CPU; the first is a case of parity.
    "rrdbnet_small": dict(blocks=2),
    "rrdbnet_tiny": dict(blocks=2, features=24, growth=12),
}


def rrdbnet(variant: str, **overrides: Any) -> RRDBNet:
    """Builds a network from a row of `VARIANTS`; keywords replace single fields."""
    return RRDBNet(**(fields_of(variant, VARIANTS) | overrides))
