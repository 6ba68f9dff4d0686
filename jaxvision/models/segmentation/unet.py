"""U-Net: Convolutional Networks for Biomedical Image Segmentation, Ronneberger et al. 2015.

https://arxiv.org/abs/1505.04597, section 2 and figure 1. `unet` is the paper's: convolutions
without padding, maps of the contracting path cropped to those of the expanding one, no
normalisation. `unet_milesial` is that of https://github.com/milesial/Pytorch-UNet: padded, with
batch normalisation; `unet_milesial_bilinear` its form with bilinear upsampling; `unet_small` the
latter at a quarter of the width, for CPUs.

Departs from the paper: the probability of dropout is not stated there; 0.5 at the end of the
contracting path. `unet_small` has bilinear upsampling that keeps edges in place, not corners.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import Norm
from jaxvision.layers.conv_transpose import ConvTranspose
from jaxvision.layers.convolution import Conv
from jaxvision.layers.pooling import max_pool
from jaxvision.models.variant import fields_of
from jaxvision.ops.resize import resize_bilinear


class DoubleConv(nn.Module):
    """Two 3 x 3 convolutions, each followed by a ReLU.

    Attributes:
        features: Output channels.
        width: Channels between the two.
        padded: Whether maps keep their size; otherwise they lose two pixels on each side.
        norm: Factory of the normalisation before each ReLU, in place of a bias; None for none.
        dtype: Of the computation; parameters are float32.
    """

    features: int
    width: int
    padded: bool
    norm: Norm | None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, H, W, features], or to [B, H - 4, W - 4, features]."""
        for i, features in enumerate((self.width, self.features), start=1):
            x = Conv(
                features,
                (3, 3),
                padding=1 if self.padded else 0,
                use_bias=self.norm is None,
                kernel_init=nn.initializers.he_normal(),
                dtype=self.dtype,
                name=f"conv{i}",
            )(x)
            if self.norm is not None:
                x = self.norm(dtype=self.dtype, name=f"norm{i}")(x, train=train)
            x = nn.relu(x)
        return x


class UNet(nn.Module):
    """A contracting and an expanding path with a connection at each level.

    Attributes:
        num_classes: K.
        widths: Channels of the levels, from the top to the bottom.
        padded: Whether convolutions are padded, so that logits have the size of the images.
        norm: Factory of the normalisation, None for none.
        bilinear: Whether maps are enlarged bilinearly instead of by transposed convolutions.
        align_corners: Whether bilinear upsampling keeps the corners' centres in place.
        dropout: Probability of zeroing a value at the bottom in training.
        mirror: Of a network without padding: whether images are extended by mirroring so that
            logits have their size (section 2, the overlap-tile strategy).
        dtype: Of the computation; parameters and statistics are float32.
    """

    num_classes: int = 2
    widths: tuple[int, ...] = (64, 128, 256, 512, 1024)
    padded: bool = True
    norm: Norm | None = BatchNorm
    bilinear: bool = False
    align_corners: bool = True
    dropout: float = 0.0
    mirror: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps images [B, H, W, C] to logits [B, H, W, K] in float32.

        Without padding and mirroring, logits are of the smaller size that figure 1 shows: 388 x 388
        for 572 x 572.

        Raises:
            ValueError: If images are too small for a network without padding.
        """
        size = images.shape[1:3]
        x = images.astype(self.dtype)
        if self.mirror and not self.padded:
            x = _mirrored(x, [valid_input(side, len(self.widths)) for side in size])
        levels = len(self.widths)
        skips: list[jax.Array] = []
        for level, width in enumerate(self.widths):
            if level:
                x = max_pool(x, window=2, stride=2)
            bottom = level == levels - 1
            features = width // 2 if bottom and self.bilinear else width
            x = self._double(features, features, f"down{level + 1}", x, train)
            if not bottom:
                skips.append(x)
        x = nn.Dropout(self.dropout, deterministic=not train, name="dropout")(x)
        for step, skip in enumerate(reversed(skips), start=1):
            width = self.widths[levels - 1 - step]
            x = self._enlarged(x, width, f"upconv{step}")
            if not self.padded:
                skip = _cropped(skip, x.shape[1:3])
            x = jnp.concatenate([skip, _placed(x, skip.shape[1:3])], axis=-1)
            halved = self.bilinear and step < levels - 1
            inner = x.shape[-1] // 2 if self.bilinear else width
            x = self._double(width // 2 if halved else width, inner, f"up{step}", x, train)
        x = Conv(self.num_classes, (1, 1), dtype=self.dtype, name="head")(x)
        return _cropped(x, size).astype(jnp.float32) if self.mirror else x.astype(jnp.float32)

    def _double(self, features: int, width: int, name: str, x: jax.Array, train: bool) -> jax.Array:
        block = DoubleConv(features, width, self.padded, self.norm, self.dtype, name=name)
        return block(x, train=train)

    def _enlarged(self, x: jax.Array, features: int, name: str) -> jax.Array:
        if self.bilinear:
            height, width = x.shape[1:3]
            return resize_bilinear(x, (2 * height, 2 * width), align_corners=self.align_corners)
        return ConvTranspose(features, 2, 2, dtype=self.dtype, name=name)(x)


def valid_input(side: int, levels: int) -> int:
    """Returns the least side of an image for which logits without padding have at least `side`.

    Args:
        side: Pixels.
        levels: Levels of the network, 5 in the paper.
    """
    # From the logits backwards: two convolutions take 4 pixels, and each level but the lowest is
    # twice as large as the one below it.
    for _ in range(levels - 1):
        side = -(-(side + 4) // 2)
    side += 4
    for _ in range(levels - 1):
        side = 2 * side + 4
    return side


def _mirrored(x: jax.Array, sides: Sequence[int]) -> jax.Array:
    """Extends images [B, H, W, C] to a height and width by mirroring at their edges."""
    pads = [(0, 0)]
    for side, wanted in zip(x.shape[1:3], sides, strict=True):
        before = (wanted - side) // 2
        pads.append((before, wanted - side - before))
    return jnp.pad(x, [*pads, (0, 0)], mode="symmetric")


def _cropped(x: jax.Array, size: tuple[int, ...]) -> jax.Array:
    """Cuts the middle of a height and width out of maps [B, H, W, C]."""
    top, left = ((side - wanted) // 2 for side, wanted in zip(x.shape[1:3], size, strict=True))
    if top < 0 or left < 0:
        raise ValueError(f"images are too small: maps of {x.shape[1:3]} cannot be cut to {size}")
    return x[:, top : top + size[0], left : left + size[1]]


def _placed(x: jax.Array, size: tuple[int, ...]) -> jax.Array:
    """Fills maps [B, H, W, C] up to a height and width with zeros: an odd map was pooled."""
    below, right = (wanted - side for side, wanted in zip(x.shape[1:3], size, strict=True))
    if not below and not right:
        return x
    pads = [(0, 0), *((n // 2, n - n // 2) for n in (below, right)), (0, 0)]
    return jnp.pad(x, pads)


_PAPER: dict[str, Any] = dict(padded=False, norm=None, dropout=0.5)

VARIANTS: dict[str, dict[str, Any]] = {
    "unet": _PAPER,
    "unet_milesial": dict(),
    "unet_milesial_bilinear": dict(bilinear=True),
    "unet_small": dict(widths=(16, 32, 64, 128, 256), bilinear=True, align_corners=False),
}


def unet(variant: str, **overrides: Any) -> UNet:
    """Builds a network from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return UNet(**(fields_of(variant, VARIANTS) | overrides))
