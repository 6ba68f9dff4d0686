"""Mask R-CNN: Faster R-CNN with a small network that draws the object of each region.

Mask R-CNN, He et al. 2017, https://arxiv.org/abs/1703.06870, section 3 and figure 4, right.
`mask_rcnn_resnet50_fpn` is equal to torchvision's `maskrcnn_resnet50_fpn`; `mask_rcnn_tiny` is
ours, for small machines.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.conv_transpose import ConvTranspose
from jaxvision.layers.convolution import Conv
from jaxvision.layers.initializers import he_normal_fan_out
from jaxvision.models.detection.fast_rcnn import (
    PYRAMID,
    TINY,
    Levels,
    build,
    resnet_backbone,
    whole,
)
from jaxvision.models.detection.faster_rcnn import FasterRCNN
from jaxvision.ops.roi_align import multiscale_roi_align


class MaskHead(nn.Module):
    """Convolutions, one that doubles the resolution, and a mask of each class.

    Attributes:
        num_classes: K, without the background.
        features: Channels of every convolution.
        depth: Convolutions before the resolution is doubled.
        dtype: Of the computation; parameters and masks are float32.
    """

    num_classes: int
    features: int = 256
    depth: int = 4
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps pooled features [R, H, W, C] to logits [R, 2 * H, 2 * W, 1 + K]."""
        init = he_normal_fan_out()
        for i in range(self.depth):
            conv = Conv(
                self.features, (3, 3), kernel_init=init, dtype=self.dtype, name=f"conv{i + 1}"
            )
            x = nn.relu(conv(x))
        double = ConvTranspose(
            self.features, 2, stride=2, kernel_init=init, dtype=self.dtype, name="double"
        )
        x = nn.relu(double(x)).astype(jnp.float32)
        return Conv(1 + self.num_classes, (1, 1), kernel_init=init, name="predict")(x)


class MaskRCNN(FasterRCNN):
    """Faster R-CNN and a mask of each class for its regions.

    Attributes:
        mask_features: Channels of the mask head.
        mask_depth: Its convolutions before the resolution is doubled.
        mask_bins: Rows and columns that it pools a region to; masks have twice as many.
    """

    mask_features: int = 256
    mask_depth: int = 4
    mask_bins: int = 14

    def setup(self) -> None:
        """Builds the parts."""
        super().setup()
        self.mask_head = MaskHead(self.num_classes, self.mask_features, self.mask_depth, self.dtype)

    def draw(self, levels: Levels, boxes: jax.Array) -> jax.Array:
        """Predicts the masks of regions [B, R, 4]: logits [B, R, M, M, 1 + K]."""
        levels = {stride: levels[stride] for stride in self.strides}
        size = (self.mask_bins, self.mask_bins)
        pooled = multiscale_roi_align(levels, boxes, size=size)
        masks = self.mask_head(pooled.reshape(-1, *pooled.shape[2:]))
        return masks.reshape(*boxes.shape[:2], *masks.shape[1:])

    def __call__(self, images: jax.Array, *, train: bool) -> tuple[Any, ...]:
        """Predicts proposals and, for images [B, H, W, 3] as a whole, one region and its mask."""
        levels = self.extract(images, train=train)
        regions = whole(images)
        return (
            self.propose(levels),
            self.classify(levels, regions, train=train),
            self.draw(levels, regions),
        )


# `backbone` is a factory that is called with norm=... and dtype=...
VARIANTS: dict[str, dict[str, Any]] = {
    f"mask_rcnn_{name}_fpn": dict(backbone=functools.partial(resnet_backbone, name), **PYRAMID)
    for name in ("resnet50", "resnet101", "resnet18")
} | {
    "mask_rcnn_tiny": dict(
        **TINY, proposal_features=64, mask_features=64, mask_depth=2, mask_bins=7
    )
}


def mask_rcnn(variant: str, **options: Any) -> MaskRCNN:
    """Builds a detector from a row of `VARIANTS`; the options are those of `fast_rcnn.build`."""
    return build(MaskRCNN, "mask_rcnn_", VARIANTS, variant, **options)
