"""GhostPAN: a light feature pyramid of Ghost bottlenecks, as NanoDet-Plus has it.

PAN: Liu et al. 2018, https://arxiv.org/abs/1803.01534. GhostNet: Han et al. 2019,
https://arxiv.org/abs/1911.11907. Facts of NanoDet-Plus, https://github.com/RangiLyu/nanodet: all
maps have the same few channels, 5 x 5 depthwise convolutions on the way up.
Departs from it: three maps, as YOLOX's head takes them, without a fourth at stride 64; maps are
enlarged by repeating pixels, there bilinearly; activations are those of the detector.
"""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.conv import DepthwiseSeparable
from jaxvision.layers.ghost import GhostBottleneck
from jaxvision.ops.resize import upsample_nearest


class GhostPAN(nn.Module):
    """A top-down and then a bottom-up path over the maps at strides 8, 16 and 32.

    Attributes:
        features: Channels of all maps.
        conv: Factory of dense convolution blocks; the other blocks have its keywords.
    """

    features: int
    conv: functools.partial[Any]

    @nn.compact
    def __call__(self, features: Mapping[int, jax.Array], *, train: bool) -> dict[int, jax.Array]:
        """Maps {8, 16, 32: features} to {8, 16, 32: features} of `features` channels."""
        options = self.conv.keywords
        width = self.features

        def fuse(x: jax.Array, y: jax.Array, name: str) -> jax.Array:
            block = GhostBottleneck(width, width, 5, name=name, **options)
            return block(jnp.concatenate([x, y], axis=-1), train=train)

        def downsample(x: jax.Array, name: str) -> jax.Array:
            return DepthwiseSeparable(width, 5, 2, name=name, **options)(x, train=train)

        c3, c4, c5 = (
            self.conv(width, 1, name=f"lateral{level}")(features[2**level], train=train)
            for level in (3, 4, 5)
        )
        p4 = fuse(upsample_nearest(c5), c4, "top_down4")
        p3 = fuse(upsample_nearest(p4), c3, "top_down3")
        p4 = fuse(downsample(p3, "downsample3"), p4, "bottom_up4")
        p5 = fuse(downsample(p4, "downsample4"), c5, "bottom_up5")
        return {8: p3, 16: p4, 32: p5}
