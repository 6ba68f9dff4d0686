"""R-CNN and SPP-Net: regions are classified by linear machines on features of a network.

R-CNN: Rich feature hierarchies, Girshick et al. 2013, https://arxiv.org/abs/1311.2524, sections 2
and 2.3, appendices A to C: each region is warped to one size and goes through the whole network.
SPP-Net: Spatial Pyramid Pooling, He et al. 2014, https://arxiv.org/abs/1406.4729, sections 2.2 and
4: the convolutions see the image once, and each region is pooled over pyramids of bins.

The network is trained with a softmax; then a support vector machine and a box regression of each
class are fitted to its features (`jaxvision.losses.detection.rcnn`) and take the softmax's place.
Departs from the papers: boxes are regressed from the second dense layer, not from the last pool;
SPP-Net sees images at one size; its bins are those of RoIPool; fc6 and fc7 start from uniform
weights where none are loaded.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxvision.models.backbones.alexnet import alexnet
from jaxvision.models.backbones.vgg import vgg
from jaxvision.models.backbones.zfnet import zfnet
from jaxvision.models.detection.fast_rcnn import (
    FastRCNN,
    Levels,
    RegionHead,
    RegionOutput,
    build,
    csp_darknet,
)
from jaxvision.models.detection.normalized import normalized
from jaxvision.ops.roi_align import roi_align
from jaxvision.ops.roi_pool import roi_pool


class FittedHead(RegionHead):
    """Two dense layers and a softmax, and linear machines in its place once they are fitted.

    They are in the collection `fitted`, which no gradient reaches: `svm_kernel` [D, K], `svm_bias`
    [K], `box_kernel` [D, K, 4], `box_bias` [K, 4] and `ready`, 1 once they hold.
    """

    def setup(self) -> None:
        """Builds the layers."""
        super().setup()
        features, classes = self.hidden, self.num_classes

        def fitted(name: str, *shape: int) -> Any:
            return self.variable("fitted", name, jnp.zeros, shape)

        self.svm = fitted("svm_kernel", features, classes), fitted("svm_bias", classes)
        self.regression = (
            fitted("box_kernel", features, classes, 4),
            fitted("box_bias", classes, 4),
        )
        self.ready = fitted("ready")

    def __call__(self, pooled: jax.Array, *, train: bool) -> RegionOutput:
        """Maps pooled features [B, R, H, W, C] to logits, in training of the softmax.

        Otherwise the logits are those of independent decisions: the softmax's log odds, or the
        distances from the planes of the support vector machines.
        """
        x = self.embed(pooled, train=train)
        logits = self.classes(x)
        kernel, bias = (x.value for x in self.regression)
        boxes = jnp.einsum("brd,dkc->brkc", x, kernel) + bias[None, None]
        # The background has no box.
        boxes = jnp.concatenate([jnp.zeros_like(boxes[:, :, :1]), boxes], axis=2)
        if train:
            return RegionOutput(logits, boxes)
        log_p = jax.nn.log_softmax(logits)
        odds = log_p - jnp.log(-jnp.expm1(jnp.minimum(log_p, -1e-6)))
        kernel, bias = (x.value for x in self.svm)
        svm = jnp.concatenate([odds[..., :1], x @ kernel + bias[None, None]], axis=-1)
        return RegionOutput(jnp.where(self.ready.value > 0, svm, odds), boxes)


class SPPNet(FastRCNN):
    """A network to one map, pyramids of bins in each region, dense layers.

    Attributes:
        pyramid_bins: Rows, and columns, of the bins of each level: 50 in all in the paper.
    """

    pyramid_bins: tuple[int, ...] = (6, 3, 2, 1)
    head_type = FittedHead

    def pool(self, levels: Levels, boxes: jax.Array, *, train: bool) -> jax.Array:
        """Takes maxima of regions [B, R, 4]: [B, R, 1, 50, C]."""
        del train
        (stride,) = self.strides
        pooled = [
            roi_pool(levels[stride], boxes, size=(bins, bins), stride=stride)
            for bins in self.pyramid_bins
        ]
        flat = [x.reshape(*x.shape[:2], 1, -1, x.shape[-1]) for x in pooled]
        return jnp.concatenate(flat, axis=3)


class RCNN(FastRCNN):
    """A network that sees each region by itself, warped to a square.

    Attributes:
        side: Of the square in pixels.
        context: Pixels of it on each side of the region that show what is around.
    """

    side: int = 227
    context: int = 16
    head_type = FittedHead

    def extract(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps RGB images [B, H, W, 3] with values 0 to 255 to {1: normalised images}."""
        del train
        return {1: normalized(images, self.image_mean, self.image_std, multiple=1)}

    def pool(self, levels: Levels, boxes: jax.Array, *, train: bool) -> jax.Array:
        """Warps regions [B, R, 4] and maps them to the last features: [B, R, H, W, C].

        Around the image there are pixels of the mean colour (appendix A).
        """
        center, half = (boxes[..., :2] + boxes[..., 2:]) / 2, (boxes[..., 2:] - boxes[..., :2]) / 2
        half = half * self.side / (self.side - 2 * self.context)
        around = jnp.concatenate([center - half, center + half], axis=-1)
        size = (self.side, self.side)
        warped = roi_align(levels[1], around, size=size, stride=1, samples=1, aligned=True)
        flat = warped.reshape(-1, *warped.shape[2:])
        (stride,) = self.strides
        x = self.backbone(flat, train=train)[stride]
        return x.reshape(*boxes.shape[:2], *x.shape[1:])


VARIANTS: dict[str, dict[str, Any]] = {
    "rcnn_alexnet": dict(backbone=functools.partial(alexnet, "alexnet"), strides=(32,)),
    "rcnn_vgg16": dict(backbone=functools.partial(vgg, "vgg16"), strides=(32,), side=224),
    "rcnn_tiny": dict(
        backbone=csp_darknet, strides=(32,), side=64, context=4, hidden=128, dropout=0.0
    ),
}
SPP_VARIANTS: dict[str, dict[str, Any]] = {
    "spp_net_zf5": dict(backbone=functools.partial(zfnet, "zfnet"), strides=(16,)),
    "spp_net_tiny": dict(
        backbone=csp_darknet, strides=(8,), pyramid_bins=(4, 2, 1), hidden=128, dropout=0.0
    ),
}


def rcnn(variant: str, **options: Any) -> RCNN:
    """Builds a detector from a row of `VARIANTS`; the options are those of `fast_rcnn.build`."""
    return build(RCNN, "rcnn_", VARIANTS, variant, **options)


def spp_net(variant: str, **options: Any) -> SPPNet:
    """Builds a detector from a row of `SPP_VARIANTS`; `fast_rcnn.build` has the options."""
    return build(SPPNet, "spp_net_", SPP_VARIANTS, variant, **options)
