"""CSPDarknet, the backbone of YOLOv5 and YOLOX.

YOLOX, Ge et al. 2021, https://arxiv.org/abs/2107.08430, after YOLOv5's: a Focus stem, four stages
of a stride-2 convolution and a CSP layer, spatial pyramid pooling in the last.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.csp import ConvFactory, CSPLayer
from jaxvision.layers.spatial_pyramid_pooling import SpatialPyramidPooling
from jaxvision.ops.resize import space_to_depth


class CSPDarknet(nn.Module):
    """Focus stem and four CSP stages at strides 4, 8, 16 and 32.

    Attributes:
        depth: Multiplies the number of bottlenecks of a stage: 3, 9, 9, 3 at 1.
        width: Multiplies the channels: 64 of the stem at 1, doubled by every stage.
        conv: Factory of dense convolution blocks.
        spatial_conv: Factory of the stages' 3 x 3 blocks, depthwise separable in YOLOX-Nano.
        dtype: Of the computation.
    """

    depth: float
    width: float
    conv: ConvFactory
    spatial_conv: ConvFactory
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps images [B, H, W, 3] to {8, 16, 32: features}."""
        features = int(self.width * 64)
        depth = max(round(self.depth * 3), 1)

        x = space_to_depth(images.astype(self.dtype))
        x = self.conv(features, 3, name="stem")(x, train=train)

        outputs = {}
        for stage, blocks in enumerate((depth, 3 * depth, 3 * depth, depth), start=2):
            last = stage == 5
            features *= 2
            x = self.spatial_conv(features, 3, 2, name=f"stage{stage}_downsample")(x, train=train)
            if last:
                x = SpatialPyramidPooling(features, self.conv, name=f"stage{stage}_spp")(
                    x, train=train
                )
            x = CSPLayer(
                features,
                blocks,
                self.conv,
                self.spatial_conv,
                shortcut=not last,
                name=f"stage{stage}_csp",
            )(x, train=train)
            outputs[2**stage] = x
        return {stride: outputs[stride] for stride in (8, 16, 32)}
