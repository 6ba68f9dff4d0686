"""A U-Net decoder on any backbone of the catalogue.

U-Net, Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597, figure 1, with a classifier's
backbone as the contracting path: weights for ImageNet then fill half of the network.

Departs from the paper: padded convolutions, batch normalisation, bilinear upsampling.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import Norm
from jaxvision.layers.convolution import Conv
from jaxvision.models.segmentation.unet import DoubleConv
from jaxvision.ops.resize import resize_bilinear


class BackboneUNet(nn.Module):
    """A backbone, and a decoder that joins its maps from the coarsest to the finest.

    Attributes:
        backbone: Network from images to {stride: features}.
        num_classes: K.
        widths: Channels of the decoder at the coarsest joint and those after it; the last one is
            repeated where a backbone has more maps.
        norm: Factory of the decoder's normalisation.
        dtype: Of the computation; parameters and statistics are float32.
    """

    backbone: nn.Module
    num_classes: int = 21
    widths: tuple[int, ...] = (256, 128, 64, 32)
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps images [B, H, W, 3] to logits [B, H, W, K] in float32."""
        features = self.backbone(images, train=train)
        coarsest, *others = sorted(features, reverse=True)
        x = features[coarsest]
        for i, stride in enumerate(others):
            skip = features[stride]
            x = resize_bilinear(x, (skip.shape[1], skip.shape[2]))
            width = self.widths[min(i, len(self.widths) - 1)]
            block = DoubleConv(width, width, True, self.norm, self.dtype, name=f"up{stride}")
            x = block(jnp.concatenate([skip, x], axis=-1), train=train)
        x = Conv(self.num_classes, (1, 1), dtype=self.dtype, name="head")(x)
        return resize_bilinear(x.astype(jnp.float32), (images.shape[1], images.shape[2]))
