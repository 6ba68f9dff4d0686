"""Faster R-CNN: a network proposes regions, Fast R-CNN classifies them, on shared features.

Faster R-CNN, Ren et al. 2015, https://arxiv.org/abs/1506.01497, section 3 and figures 2 and 3; with
a pyramid: FPN, Lin et al. 2017, https://arxiv.org/abs/1612.03144, sections 4.1 and 4.2.
`faster_rcnn_vgg16` is the paper's, `faster_rcnn_resnet50_fpn` is equal to torchvision's
`fasterrcnn_resnet50_fpn`. The others are ours; `faster_rcnn_tiny` is for small machines:
YOLOX-Tiny's backbone and narrow heads.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import linen as nn

from jaxvision.layers.convolution import Conv
from jaxvision.models.detection.fast_rcnn import (
    PYRAMID,
    TINY,
    FastRCNN,
    Levels,
    RegionOutput,
    build,
    mobilenet,
    resnet_backbone,
    vgg16,
    whole,
)


class ProposalOutput(NamedTuple):
    """Raw float32 predictions of a region proposal network.

    Anchors come in the order of the strides, the rows of a map first, then the columns, then the
    anchors of one cell.

    Attributes:
        objectness: Logits [B, A].
        box_regression: Offsets [B, A, 4].
    """

    objectness: jax.Array
    box_regression: jax.Array


class ProposalHead(nn.Module):
    """The region proposal network: a 3 x 3 convolution and two 1 x 1, shared by all levels.

    Attributes:
        features: Channels of the 3 x 3 convolution.
        anchors: Anchors of a cell.
        two_logits: Whether an anchor has a logit of the background, too, as in the paper.
        dtype: Of the computation; predictions are float32.
    """

    features: int
    anchors: int
    two_logits: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, levels: Levels) -> ProposalOutput:
        """Maps {stride: [B, H, W, C]} to predictions for A anchors."""

        def conv(channels: int, side: int, name: str) -> Conv:
            init = nn.initializers.normal(0.01)
            return Conv(channels, (side, side), kernel_init=init, dtype=self.dtype, name=name)

        hidden = conv(self.features, 3, "conv")
        objectness = conv(self.anchors * (2 if self.two_logits else 1), 1, "objectness")
        box = conv(self.anchors * 4, 1, "box")
        logits, offsets = [], []
        for _, x in sorted(levels.items()):
            x = nn.relu(hidden(x))
            pattern = "b h w (a k) -> b (h w a) k"
            logits.append(rearrange(objectness(x), pattern, a=self.anchors))
            offsets.append(rearrange(box(x), pattern, a=self.anchors))
        logits = jnp.concatenate(logits, axis=1).astype(jnp.float32)
        # A softmax of two is the sigmoid of their difference.
        logits = logits[..., 1] - logits[..., 0] if self.two_logits else logits[..., 0]
        return ProposalOutput(logits, jnp.concatenate(offsets, axis=1).astype(jnp.float32))


class FasterRCNN(FastRCNN):
    """Fast R-CNN with a network that proposes its regions.

    Attributes:
        proposal_features: Channels of the proposal network.
        anchors_per_cell: Anchors of the proposal network's method.
        two_logits: Whether its objectness is a softmax of two logits.
    """

    proposal_features: int = 256
    anchors_per_cell: int = 3
    two_logits: bool = False

    def setup(self) -> None:
        """Builds the parts."""
        super().setup()
        self.rpn = ProposalHead(
            self.proposal_features, self.anchors_per_cell, self.two_logits, self.dtype
        )

    @property
    def proposal_strides(self) -> tuple[int, ...]:
        """Of the maps that proposals come from: a pyramid has one more for them."""
        last = self.strides[-1]
        return (*self.strides, 2 * last) if self.pyramid else self.strides

    def propose(self, levels: Levels) -> ProposalOutput:
        """Predicts for the anchors of `proposal_strides`, from what `extract` returns."""
        for stride in self.proposal_strides[len(self.strides) :]:
            levels = {**levels, stride: levels[stride // 2][:, ::2, ::2]}
        return self.rpn(levels)

    def __call__(self, images: jax.Array, *, train: bool) -> tuple[ProposalOutput, RegionOutput]:
        """Predicts proposals and, for images [B, H, W, 3] as a whole, one region each."""
        levels = self.extract(images, train=train)
        return self.propose(levels), self.classify(levels, whole(images), train=train)


# `backbone` is a factory that is called with norm=... and dtype=...
VARIANTS: dict[str, dict[str, Any]] = {
    "faster_rcnn_vgg16": dict(
        backbone=vgg16, proposal_features=512, anchors_per_cell=9, two_logits=True
    ),
    "faster_rcnn_resnet50_fpn": dict(
        backbone=functools.partial(resnet_backbone, "resnet50"), **PYRAMID
    ),
    "faster_rcnn_resnet101_fpn": dict(
        backbone=functools.partial(resnet_backbone, "resnet101"), **PYRAMID
    ),
    "faster_rcnn_resnet18_fpn": dict(
        backbone=functools.partial(resnet_backbone, "resnet18"), **PYRAMID
    ),
    "faster_rcnn_mobilenet_v3_fpn": dict(backbone=mobilenet, **PYRAMID),
    "faster_rcnn_tiny": dict(**TINY, proposal_features=64),
}


def faster_rcnn(variant: str, **options: Any) -> FasterRCNN:
    """Builds a detector from a row of `VARIANTS`; the options are those of `fast_rcnn.build`."""
    return build(FasterRCNN, "faster_rcnn_", VARIANTS, variant, **options)
