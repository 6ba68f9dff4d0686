"""FCN on VGG16: Fully Convolutional Networks for Semantic Segmentation, Long et al. 2015.

https://arxiv.org/abs/1411.4038, section 4 and figure 3. Equal to
https://github.com/wkentaro/pytorch-fcn, whose crops are those of the authors' prototxt: images are
padded by 100 pixels, so that the last map of the smallest image has a pixel, and each map of scores
is cut to the part that the image covers.

`fcn8s_at_once` scales the scores of the inner maps by 0.01 and 0.0001, for training all streams at
once. Upsampling starts bilinear; `--config.freeze="upsample.*"` keeps it so, as the authors do.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.conv_transpose import ConvTranspose
from jaxvision.layers.convolution import Conv
from jaxvision.layers.initializers import bilinear_upsampling
from jaxvision.layers.pooling import max_pool
from jaxvision.models.backbones.vgg import VGG, vgg
from jaxvision.models.variant import fields_of

# Of the images, before the first convolution; the convolution itself pads by 1.
_PADDING = 99
# Where the image begins in the scores of the last upsampling and of inner maps.
_OFFSETS = {32: 19, 16: 27, 8: 31}
_INNER_OFFSETS = {16: 5, 8: 9}


class FCN(nn.Module):
    """VGG16 with its dense layers as convolutions, and scores of one to three of its maps.

    Attributes:
        backbone: VGG whose pools extend past the far edge.
        num_classes: K.
        stride: Of the finest map that is scored: 32, 16 or 8.
        scales: Factors of the maps at strides 16 and 8 before they are scored.
        dropout: Probability of zeroing a channel of fc6 and fc7 in training.
        dtype: Of the computation; parameters are float32.
    """

    backbone: VGG
    num_classes: int = 21
    stride: int = 8
    scales: tuple[float, float] = (1.0, 1.0)
    dropout: float = 0.5
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps images [B, H, W, 3] to logits [B, H, W, K] in float32.

        Raises:
            ValueError: If `stride` is not 32, 16 or 8.
        """
        if self.stride not in _OFFSETS:
            raise ValueError(f"stride must be 32, 16 or 8, got {self.stride}")
        pads = ((0, 0), (_PADDING, _PADDING), (_PADDING, _PADDING), (0, 0))
        features = self.backbone(jnp.pad(images.astype(self.dtype), pads), train=train)
        x = features[32]
        for name, size, padding in (("fc6", 7, "VALID"), ("fc7", 1, "VALID")):
            x = Conv(4096, (size, size), padding=padding, dtype=self.dtype, name=name)(x)
            # Whole channels, as PyTorch's Dropout2d.
            drop = nn.Dropout(self.dropout, broadcast_dims=(1, 2), deterministic=not train)
            x = drop(nn.relu(x))
        x = self._scores("score", x)
        for stride, scale in zip((16, 8), self.scales, strict=True):
            if stride < self.stride:
                break
            x = self._upsampled(x, 2, f"upsample{2 * stride}")
            inner = max_pool(features[stride // 2], window=2, stride=2, ceil_mode=True)
            scores = self._scores(f"score{stride}", inner * scale if scale != 1 else inner)
            x = x + _window(scores, _INNER_OFFSETS[stride], x.shape[1:3])
        x = self._upsampled(x, self.stride, "upsample")
        return _window(x, _OFFSETS[self.stride], images.shape[1:3]).astype(jnp.float32)

    def _scores(self, name: str, x: jax.Array) -> jax.Array:
        zeros = nn.initializers.zeros
        conv = Conv(self.num_classes, (1, 1), kernel_init=zeros, dtype=self.dtype, name=name)
        return conv(x)

    def _upsampled(self, x: jax.Array, factor: int, name: str) -> jax.Array:
        return ConvTranspose(
            self.num_classes,
            2 * factor,
            factor,
            use_bias=False,
            kernel_init=bilinear_upsampling(),
            dtype=self.dtype,
            name=name,
        )(x)


def _window(x: jax.Array, offset: int, size: tuple[int, ...]) -> jax.Array:
    """Cuts a height and width out of maps [B, H, W, C], so many pixels from the top and left."""
    return x[:, offset : offset + size[0], offset : offset + size[1]]


VARIANTS: dict[str, dict[str, Any]] = {
    "fcn32s": dict(stride=32),
    "fcn16s": dict(stride=16),
    "fcn8s": dict(stride=8),
    "fcn8s_at_once": dict(stride=8, scales=(0.01, 0.0001)),
}


def fcn(
    variant: str, *, dtype: jnp.dtype = jnp.float32, backbone: Any = None, **overrides: Any
) -> FCN:
    """Builds a network from a row of `VARIANTS`; keywords replace single fields.

    Args:
        variant: A name of `VARIANTS`.
        dtype: Of the computation.
        backbone: VGG in place of VGG16.
        **overrides: Fields of `FCN`.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    fields = fields_of(variant, VARIANTS) | overrides
    return FCN(backbone or vgg("vgg16", ceil_pool=True, dtype=dtype), dtype=dtype, **fields)
