"""YOLOX's decoupled head.

YOLOX, Ge et al. 2021, https://arxiv.org/abs/2107.08430, figure 2: classification and regression
separate after a 1 x 1 convolution; objectness is predicted by the regression branch.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import linen as nn

from jaxvision.layers.convolution import Conv
from jaxvision.layers.csp import ConvFactory
from jaxvision.layers.initializers import prior_bias, torch_uniform, uniform_bias
from jaxvision.models.detection.detector_output import DetectorOutput


class DecoupledHead(nn.Module):
    """One head for each level, without shared weights.

    Attributes:
        num_classes: K.
        features: Channels of every branch.
        conv: Factory of dense convolution blocks.
        spatial_conv: Factory of the branches' 3 x 3 blocks.
        dtype: Of the computation; predictions are float32.
    """

    num_classes: int
    features: int
    conv: ConvFactory
    spatial_conv: ConvFactory
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, features: Mapping[int, jax.Array], *, train: bool) -> DetectorOutput:
        """Maps {stride: [B, H, W, C]} to predictions for A = sum of H * W anchors."""

        def predict(x: jax.Array, channels: int, name: str) -> jax.Array:
            # "Almost nothing is an object" is the prior of objectness and of every class.
            bias = uniform_bias(self.features) if "box" in name else prior_bias(0.01)
            x = Conv(
                channels,
                (1, 1),
                kernel_init=torch_uniform(),
                bias_init=bias,
                dtype=self.dtype,
                name=name,
            )(x)
            return rearrange(x.astype(jnp.float32), "b h w k -> b (h w) k")

        levels = []
        for stride, x in sorted(features.items()):
            x = self.conv(self.features, 1, name=f"stride{stride}_stem")(x, train=train)
            classes = boxes = x
            for i in (1, 2):
                classes = self.spatial_conv(self.features, 3, name=f"stride{stride}_class_conv{i}")(
                    classes, train=train
                )
                boxes = self.spatial_conv(self.features, 3, name=f"stride{stride}_box_conv{i}")(
                    boxes, train=train
                )
            levels.append(
                (
                    predict(boxes, 4, f"stride{stride}_box"),
                    predict(boxes, 1, f"stride{stride}_objectness"),
                    predict(classes, self.num_classes, f"stride{stride}_class"),
                )
            )
        boxes, objectness, classes = (jnp.concatenate(x, axis=1) for x in zip(*levels, strict=True))
        return DetectorOutput(boxes, classes, objectness[..., 0])
