"""Feature pyramids between backbone and head: PAFPN and YOLOv3's, as YOLOX builds them.

FPN: Lin et al. 2017, https://arxiv.org/abs/1612.03144. PAN: Liu et al. 2018,
https://arxiv.org/abs/1803.01534.
Departs from the papers: maps are concatenated, not added, and fused by CSP layers (PAFPN) or five
plain convolutions (FPN).
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.csp import ConvFactory, CSPLayer
from jaxvision.ops.resize import upsample_nearest


class PAFPN(nn.Module):
    """A top-down and then a bottom-up path over the maps at strides 8, 16 and 32.

    Attributes:
        depth: Multiplies the bottlenecks of each CSP layer: 3 at 1.
        conv: Factory of dense convolution blocks.
        spatial_conv: Factory of the 3 x 3 blocks.
    """

    depth: float
    conv: ConvFactory
    spatial_conv: ConvFactory

    @nn.compact
    def __call__(self, features: Mapping[int, jax.Array], *, train: bool) -> dict[int, jax.Array]:
        """Maps {8, 16, 32: features} to {8, 16, 32: features} with the same channels."""
        c3, c4, c5 = features[8], features[16], features[32]
        width3, width4, width5 = c3.shape[-1], c4.shape[-1], c5.shape[-1]

        def fuse(channels: int, name: str) -> CSPLayer:
            blocks = round(3 * self.depth)
            return CSPLayer(channels, blocks, self.conv, self.spatial_conv, False, name=name)

        lateral5 = self.conv(width4, 1, name="lateral5")(c5, train=train)
        x = jnp.concatenate([upsample_nearest(lateral5), c4], axis=-1)
        x = fuse(width4, "top_down4")(x, train=train)
        lateral4 = self.conv(width3, 1, name="lateral4")(x, train=train)
        x = jnp.concatenate([upsample_nearest(lateral4), c3], axis=-1)
        p3 = fuse(width3, "top_down3")(x, train=train)

        x = self.spatial_conv(width3, 3, 2, name="downsample3")(p3, train=train)
        p4 = fuse(width4, "bottom_up4")(jnp.concatenate([x, lateral4], axis=-1), train=train)
        x = self.spatial_conv(width4, 3, 2, name="downsample4")(p4, train=train)
        p5 = fuse(width5, "bottom_up5")(jnp.concatenate([x, lateral5], axis=-1), train=train)
        return {8: p3, 16: p4, 32: p5}


class YOLOFPN(nn.Module):
    """YOLOv3's top-down path: each step fuses with five convolutions.

    Attributes:
        conv: Factory of convolution blocks.
    """

    conv: ConvFactory

    @nn.compact
    def __call__(self, features: Mapping[int, jax.Array], *, train: bool) -> dict[int, jax.Array]:
        """Maps {8, 16, 32: features} to {8, 16, 32: features}; the last is unchanged."""
        outputs = {32: features[32]}
        x = features[32]
        for level, stride in ((4, 16), (3, 8)):
            channels = features[stride].shape[-1] // 2
            x = self.conv(channels, 1, name=f"lateral{level}")(x, train=train)
            x = jnp.concatenate([upsample_nearest(x), features[stride]], axis=-1)
            for i, (width, kernel) in enumerate(
                ((channels, 1), (2 * channels, 3), (channels, 1), (2 * channels, 3), (channels, 1))
            ):
                x = self.conv(width, kernel, name=f"top_down{level}_conv{i + 1}")(x, train=train)
            outputs[stride] = x
        return {stride: outputs[stride] for stride in (8, 16, 32)}
