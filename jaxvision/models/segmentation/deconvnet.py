"""DeconvNet: Learning Deconvolution Network for Semantic Segmentation, Noh et al. 2015.

https://arxiv.org/abs/1505.04366, section 3 and figure 2: VGG16 with its dense layers as
convolutions, then the same backwards: each stage unpools and convolves by transposed filters. All
convolutions but the last are normalised (section 4.1). Made for images of 224 x 224; others have to
be at least as large, and their sides multiples of 32.

`deconvnet_small` is the same shape with a sixteenth of the channels, for CPUs.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import Norm
from jaxvision.layers.conv_transpose import ConvTranspose
from jaxvision.layers.convolution import Conv
from jaxvision.models.variant import fields_of
from jaxvision.ops.max_unpool import max_pool_with_indices, max_unpool

_ENCODER = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
_DECODER = ((512, 512, 512), (512, 512, 256), (256, 256, 128), (128, 64), (64, 64))


class Normalized(nn.Module):
    """A convolution or a transposed one, with a bias, batch normalisation and a ReLU.

    Attributes:
        features: Output channels.
        kernel_size: Side of the filter.
        padding: Pixels on each side; of a transposed one, those that are cut off.
        transposed: Whether it is transposed.
        norm: Factory of the normalisation.
        dtype: Of the computation; parameters are float32.
    """

    features: int
    kernel_size: int = 3
    padding: int = 1
    transposed: bool = False
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, H', W', features]."""
        side, init = self.kernel_size, nn.initializers.he_normal()
        if self.transposed:
            conv: nn.Module = ConvTranspose(
                self.features,
                side,
                padding=self.padding,
                kernel_init=init,
                dtype=self.dtype,
                name="conv",
            )
        else:
            conv = Conv(
                self.features,
                (side, side),
                padding=self.padding,
                kernel_init=init,
                dtype=self.dtype,
                name="conv",
            )
        return nn.relu(self.norm(dtype=self.dtype, name="norm")(conv(x), train=train))


class DeconvNet(nn.Module):
    """Convolutions down to one pixel, and transposed convolutions back.

    Attributes:
        num_classes: K.
        encoder: Channels of the convolutions of each stage, before its pool.
        decoder: The same of each stage, behind its unpooling.
        hidden: Channels of fc6 and fc7.
        norm: Factory of the normalisation.
        dtype: Of the computation; parameters and statistics are float32.
    """

    num_classes: int = 21
    encoder: tuple[tuple[int, ...], ...] = _ENCODER
    decoder: tuple[tuple[int, ...], ...] = _DECODER
    hidden: int = 4096
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps images [B, H, W, C] to logits [B, H, W, K] in float32.

        Raises:
            ValueError: If images are too small, or their sides no multiples of 32.
        """
        stride = 2 ** len(self.encoder)
        if any(side % stride or side < 7 * stride for side in images.shape[1:3]):
            raise ValueError(
                f"height and width must be multiples of {stride} and at least {7 * stride}, got "
                f"{images.shape[1]} and {images.shape[2]}"
            )

        def apply(x: jax.Array, features: int, name: str, **fields: Any) -> jax.Array:
            block = Normalized(features, norm=self.norm, dtype=self.dtype, name=name, **fields)
            return block(x, train=train)

        x = images.astype(self.dtype)
        pooled: list[tuple[jax.Array, tuple[int, int]]] = []
        for stage, widths in enumerate(self.encoder, start=1):
            for i, width in enumerate(widths, start=1):
                x = apply(x, width, f"encoder{stage}_conv{i}")
            size = x.shape[1], x.shape[2]
            x, indices = max_pool_with_indices(x)
            pooled.append((indices, size))
        last = x.shape[-1]
        x = apply(x, self.hidden, "fc6", kernel_size=7, padding=0)
        x = apply(x, self.hidden, "fc7", kernel_size=1, padding=0)
        x = apply(x, last, "fc6_deconv", kernel_size=7, padding=0, transposed=True)
        for stage, widths in enumerate(self.decoder, start=1):
            indices, size = pooled.pop()
            x = max_unpool(x, indices, size)
            for i, width in enumerate(widths, start=1):
                x = apply(x, width, f"decoder{stage}_conv{i}", transposed=True)
        head = Conv(self.num_classes, (1, 1), dtype=self.dtype, name="head")
        return head(x).astype(jnp.float32)


def _narrow(stages: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(max(8, width // 16) for width in stage) for stage in stages)


VARIANTS: dict[str, dict[str, Any]] = {
    "deconvnet": dict(),
    "deconvnet_small": dict(encoder=_narrow(_ENCODER), decoder=_narrow(_DECODER), hidden=256),
}


def deconvnet(variant: str, **overrides: Any) -> DeconvNet:
    """Builds a network from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return DeconvNet(**(fields_of(variant, VARIANTS) | overrides))
