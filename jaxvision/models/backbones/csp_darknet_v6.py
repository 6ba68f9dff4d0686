"""CSPDarknet with a convolution as stem and pooling at its end: YOLOv5 since v6.0, and YOLOv8.

There is no paper: https://docs.ultralytics.com/yolov5/tutorials/architecture_description. The older
form, with Focus and pooling before the last CSP layer, is `csp_darknet`, YOLOX's backbone.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.csp import ConvFactory
from jaxvision.layers.spatial_pyramid_pooling import SpatialPyramidPooling


class CSPDarknetV6(nn.Module):
    """A strided stem, four CSP stages at strides 4, 8, 16 and 32, then spatial pyramid pooling.

    Attributes:
        features: Channels of the stem and the four stages.
        depths: Bottlenecks of the stages.
        conv: Factory of convolution blocks.
        layer: Factory of a stage's CSP layer, `CSPLayer` or `C2f`.
        stem_kernel: Side of the stem's filter.
        stem_padding: Pixels on each side of the stem's input.
        dtype: Of the computation.
    """

    features: tuple[int, int, int, int, int]
    depths: tuple[int, int, int, int]
    conv: ConvFactory
    layer: ConvFactory
    stem_kernel: int
    stem_padding: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps images [B, H, W, 3] to {8, 16, 32: features}."""
        stem, *stages = self.features
        x = self.conv(stem, self.stem_kernel, 2, padding=self.stem_padding, name="stem")(
            images.astype(self.dtype), train=train
        )
        outputs = {}
        for stage, (features, depth) in enumerate(zip(stages, self.depths, strict=True), start=2):
            x = self.conv(features, 3, 2, name=f"stage{stage}_downsample")(x, train=train)
            x = self.layer(features, depth, self.conv, self.conv, name=f"stage{stage}_csp")(
                x, train=train
            )
            outputs[2**stage] = x
        outputs[32] = SpatialPyramidPooling(stages[-1], self.conv, name="spp")(x, train=train)
        return {stride: outputs[stride] for stride in (8, 16, 32)}


def scaled(
    depth: float, width: float, blocks: tuple[int, ...], max_features: int = 1024
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns the channels of stem and stages and the bottlenecks of the stages of a variant.

    Args:
        depth: Multiplies the bottlenecks; at least one remains.
        width: Multiplies the channels 64, 128, 256, 512 and 1024, rounded up to multiples of 8.
        blocks: Bottlenecks of the stages at depth 1.
        max_features: Channels at width 1 are at most these.
    """
    widths = (min(64 * 2**i, max_features) * width for i in range(5))
    features = tuple(-(-int(w) // 8) * 8 for w in widths)
    return features, tuple(max(round(n * depth), 1) for n in blocks)
