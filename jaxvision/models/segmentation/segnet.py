"""SegNet: A Deep Convolutional Encoder-Decoder Architecture, Badrinarayanan et al. 2015.

https://arxiv.org/abs/1511.00561, section 3 and figure 2. The decoder does not learn to upsample: it
puts each value back where the maximum of its window was. Pools extend past an odd edge, as Caffe's.
`segnet` mirrors VGG16 with batch normalisation; `segnet_basic` has four 7 x 7 convolutions on
either side and no ReLU in the decoder (section 3.1).

Departs from the authors' prototxt: no local response normalisation of the input of `segnet_basic`.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import Norm
from jaxvision.layers.convolution import Conv
from jaxvision.models.variant import fields_of
from jaxvision.ops.max_unpool import max_pool_with_indices, max_unpool

_VGG16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
_VGG16_BACK = ((512, 512, 512), (512, 512, 256), (256, 256, 128), (128, 64), (64,))


class BiasedConv(nn.Module):
    """A k x k convolution with a bias, batch normalisation and perhaps a ReLU.

    Attributes:
        features: Output channels.
        kernel_size: Side of the filter, odd.
        act: Whether a ReLU follows.
        norm: Factory of the normalisation.
        dtype: Of the computation; parameters are float32.
    """

    features: int
    kernel_size: int = 3
    act: bool = True
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, H, W, features]."""
        x = Conv(
            self.features,
            (self.kernel_size, self.kernel_size),
            padding=self.kernel_size // 2,
            kernel_init=nn.initializers.he_normal(),
            dtype=self.dtype,
            name="conv",
        )(x)
        x = self.norm(dtype=self.dtype, name="norm")(x, train=train)
        return nn.relu(x) if self.act else x


class SegNet(nn.Module):
    """An encoder that stores where its maxima were, and a decoder that puts values back there.

    Attributes:
        num_classes: K.
        encoder: Channels of the convolutions of each stage, before its pool.
        decoder: The same of each stage, behind its unpooling.
        kernel_size: Side of the filters.
        decoder_act: Whether ReLUs follow the decoder's convolutions.
        head_kernel_size: Side of the last filter.
        norm: Factory of the normalisation.
        dtype: Of the computation; parameters and statistics are float32.
    """

    num_classes: int = 11
    encoder: tuple[tuple[int, ...], ...] = _VGG16
    decoder: tuple[tuple[int, ...], ...] = _VGG16_BACK
    kernel_size: int = 3
    decoder_act: bool = True
    head_kernel_size: int = 3
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps images [B, H, W, C] to logits [B, H, W, K] in float32."""
        block = functools.partial(
            BiasedConv, kernel_size=self.kernel_size, norm=self.norm, dtype=self.dtype
        )
        x = images.astype(self.dtype)
        pooled: list[tuple[jax.Array, tuple[int, int]]] = []
        for stage, widths in enumerate(self.encoder, start=1):
            for i, width in enumerate(widths, start=1):
                x = block(width, name=f"encoder{stage}_conv{i}")(x, train=train)
            size = x.shape[1], x.shape[2]
            x, indices = max_pool_with_indices(x, ceil_mode=True)
            pooled.append((indices, size))
        for stage, widths in enumerate(self.decoder, start=1):
            indices, size = pooled.pop()
            x = max_unpool(x, indices, size)
            for i, width in enumerate(widths, start=1):
                conv = block(width, act=self.decoder_act, name=f"decoder{stage}_conv{i}")
                x = conv(x, train=train)
        side = self.head_kernel_size
        head = Conv(
            self.num_classes, (side, side), padding=side // 2, dtype=self.dtype, name="head"
        )
        return head(x).astype(jnp.float32)


_BASIC = ((64,), (64,), (64,), (64,))

VARIANTS: dict[str, dict[str, Any]] = {
    "segnet": dict(),
    "segnet_basic": dict(
        encoder=_BASIC, decoder=_BASIC, kernel_size=7, decoder_act=False, head_kernel_size=1
    ),
}


def segnet(variant: str, **overrides: Any) -> SegNet:
    """Builds a network from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return SegNet(**(fields_of(variant, VARIANTS) | overrides))
