"""Cross stage partial blocks, as YOLOv5, YOLOX and YOLOv8 write them.

Wang et al. 2019, CSPNet, https://arxiv.org/abs/1911.11929: half of the channels pass through the
residual blocks, the other half bypasses them.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn

ConvFactory = Callable[..., nn.Module]


class Bottleneck(nn.Module):
    """1 x 1 (YOLOv8: 3 x 3), then 3 x 3 convolution, plus identity.

    Attributes:
        features: Channels of both convolutions, and of the input where there is a shortcut.
        conv: Factory of dense convolution blocks.
        spatial_conv: Factory of the 3 x 3 block, depthwise separable in the smallest networks.
        shortcut: Whether the input is added to the output.
        first_kernel: Side of the first convolution's filter.
    """

    features: int
    conv: ConvFactory
    spatial_conv: ConvFactory
    shortcut: bool = True
    first_kernel: int = 1

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, H, W, features]."""
        y = self.conv(self.features, self.first_kernel, name="reduce")(x, train=train)
        y = self.spatial_conv(self.features, 3, name="spatial")(y, train=train)
        return x + y if self.shortcut else y


class CSPLayer(nn.Module):
    """Splits into two branches of half the channels, one through bottlenecks, and fuses them.

    Attributes:
        features: Output channels.
        depth: Number of bottlenecks.
        conv: Factory of dense convolution blocks.
        spatial_conv: Factory of the bottlenecks' 3 x 3 blocks.
        shortcut: Whether the bottlenecks add their input.
    """

    features: int
    depth: int
    conv: ConvFactory
    spatial_conv: ConvFactory
    shortcut: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, H, W, features]."""
        half = self.features // 2
        main = self.conv(half, 1, name="main")(x, train=train)
        bypass = self.conv(half, 1, name="bypass")(x, train=train)
        for i in range(self.depth):
            block = Bottleneck(
                half, self.conv, self.spatial_conv, self.shortcut, name=f"bottleneck{i + 1}"
            )
            main = block(main, train=train)
        x = jnp.concatenate([main, bypass], axis=-1)
        return self.conv(self.features, 1, name="fuse")(x, train=train)


class C2f(nn.Module):
    """YOLOv8's block: the outputs of all bottlenecks are fused, not that of the last alone.

    Attributes: those of `CSPLayer`.
    """

    features: int
    depth: int
    conv: ConvFactory
    spatial_conv: ConvFactory
    shortcut: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, H, W, features]."""
        half = self.features // 2
        x = self.conv(2 * half, 1, name="split")(x, train=train)
        parts = [x]
        last = x[..., half:]
        for i in range(self.depth):
            block = Bottleneck(
                half,
                self.conv,
                self.spatial_conv,
                self.shortcut,
                first_kernel=3,
                name=f"bottleneck{i + 1}",
            )
            last = block(last, train=train)
            parts.append(last)
        return self.conv(self.features, 1, name="fuse")(jnp.concatenate(parts, -1), train=train)
