"""The U-Net of Denoising Diffusion Probabilistic Models, Ho et al. 2020.

https://arxiv.org/abs/2006.11239, appendix B; equal to the authors' network for CIFAR-10, and to
diffusers' `UNet2DModel` with the configuration of `google/ddpm-cifar10-32`. `ddpm_256` is the one
for LSUN and CelebA-HQ, `ddpm_small` and `ddpm_tiny` are for grey images of 32 x 32 and 16 x 16
pixels on CPUs.

Departs from the paper: the last two see each 2 x 2 pixels as the channels of one, a quarter of the
work. Conditioning on a class, after Ho & Salimans 2022, https://arxiv.org/abs/2207.12598: its
embedding is added to that of the time, and one more row stands for no class. Without `num_classes`
there is none of it.
"""

from typing import Any

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import linen as nn

from jaxvision.layers.convolution import Conv
from jaxvision.layers.group_norm import GroupNorm
from jaxvision.layers.silu import silu
from jaxvision.models.variant import fields_of
from jaxvision.ops.resize import upsample_nearest
from jaxvision.ops.time_embedding import time_embedding

EPSILON = 1e-6
_INIT = nn.initializers.xavier_uniform()
# The last layer of a residual branch, so that each block starts as the identity.
_ZEROS = nn.initializers.zeros


class ResidualBlock(nn.Module):
    """Norm, SiLU, 3 x 3 convolution, twice; the embedding is added between the two.

    Attributes:
        features: Output channels.
        groups: Groups of the normalisation.
        dropout: Probability of zeroing a value before the second convolution.
        dtype: Of the computation; parameters are float32.
    """

    features: int
    groups: int = 32
    dropout: float = 0.1
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, embedding: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] and embeddings [B, D] to [B, H, W, features]."""
        y = silu(_norm(self.groups, self.dtype, "norm1")(x, train=train))
        y = _conv(self.features, self.dtype, "conv1")(y)
        shift = nn.Dense(self.features, kernel_init=_INIT, dtype=self.dtype, name="time")
        y = y + shift(silu(embedding))[:, None, None]
        y = silu(_norm(self.groups, self.dtype, "norm2")(y, train=train))
        y = nn.Dropout(self.dropout, deterministic=not train)(y)
        y = _conv(self.features, self.dtype, "conv2", init=_ZEROS)(y)
        if x.shape != y.shape:
            x = _conv(self.features, self.dtype, "shortcut", size=1)(x)
        return x + y


class PixelAttention(nn.Module):
    """Attention with one head of all pixels to one another, plus identity.

    Attributes:
        groups: Groups of the normalisation.
        dtype: Of the computation; parameters and the softmax are float32.
    """

    groups: int = 32
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, H, W, C]."""
        batch, height, width, channels = x.shape
        y = _norm(self.groups, self.dtype, "norm")(x, train=train)
        y = y.reshape(batch, height * width, 1, channels)
        query, key, value = (
            nn.Dense(channels, kernel_init=_INIT, dtype=self.dtype, name=name)(y)
            for name in ("query", "key", "value")
        )
        y = jax.nn.dot_product_attention(query, key, value)
        y = nn.Dense(channels, kernel_init=_ZEROS, dtype=self.dtype, name="out")(y)
        return x + y.reshape(x.shape)


class DDPMUNet(nn.Module):
    """Predicts what the diffusion process added, from an image and the time.

    Attributes:
        channels: Of the images.
        widths: Channels of the levels, from the top to the bottom; each level halves the size.
        blocks: Residual blocks of a level on the way down; one more on the way up.
        attention_levels: Levels whose blocks are each followed by attention, counted from 0.
        groups: Groups of the normalisation, which divide the widths.
        patch: Side of the squares of pixels that the top level sees as the channels of one.
        dropout: Probability of zeroing a value inside the residual blocks.
        num_classes: K for conditioning on a class; None for none.
        dtype: Of the computation; parameters are float32.

    Raises:
        ValueError: If there is no level that `attention_levels` names.
    """

    channels: int = 3
    widths: tuple[int, ...] = (128, 256, 256, 256)
    blocks: int = 2
    attention_levels: tuple[int, ...] = (1,)
    groups: int = 32
    patch: int = 1
    dropout: float = 0.1
    num_classes: int | None = None
    dtype: jnp.dtype = jnp.float32

    def __post_init__(self) -> None:
        """Checks the levels."""
        if not set(self.attention_levels) <= set(range(len(self.widths))):
            raise ValueError(
                f"attention_levels must be levels from 0 to {len(self.widths) - 1}, got "
                f"{tuple(self.attention_levels)}"
            )
        super().__post_init__()

    @property
    def multiple(self) -> int:
        """Sides of images are multiples of it."""
        return self.patch * 2 ** (len(self.widths) - 1)

    @property
    def interpolates(self) -> bool:
        """Of super-resolution: whether it takes pictures of the size of the result."""
        return True

    @nn.compact
    def __call__(
        self, x: jax.Array, t: jax.Array, labels: jax.Array | None = None, *, train: bool
    ) -> jax.Array:
        """Maps noisy images [B, H, W, channels] to a prediction of the same shape in float32.

        Further channels of the input, behind those of the images, are what the model is given.

        Args:
            x: Noisy images; sides are multiples of patch * 2^(levels - 1).
            t: Times [B], in steps of the process.
            labels: Classes [B] in [0, K), or K for none; by default none. Only with `num_classes`.
            train: Whether dropout is on.

        Raises:
            ValueError: If the images are of another size, or labels are given without classes.
        """
        if any(side % self.multiple for side in x.shape[1:3]):
            raise ValueError(
                f"sides of the images must be multiples of {self.multiple}, got "
                f"{x.shape[1]} x {x.shape[2]}"
            )
        embedding = self._embedding(t, labels)
        squares = dict(p=self.patch, q=self.patch)
        x = rearrange(x, "b (h p) (w q) c -> b h w (p q c)", **squares)
        x = _conv(self.widths[0], self.dtype, "stem")(x.astype(self.dtype))
        skips = [x]
        for level, width in enumerate(self.widths):
            for block in range(self.blocks):
                x = self._block(x, embedding, width, level, f"down{level + 1}", block, train)
                skips.append(x)
            if level < len(self.widths) - 1:
                x = _conv(width, self.dtype, f"down{level + 1}_downsample", stride=2)(x)
                skips.append(x)

        x = self._residual(self.widths[-1], "mid_block1")(x, embedding, train=train)
        x = PixelAttention(self.groups, self.dtype, name="mid_attention")(x, train=train)
        x = self._residual(self.widths[-1], "mid_block2")(x, embedding, train=train)

        for level, width in reversed(list(enumerate(self.widths))):
            for block in range(self.blocks + 1):
                x = jnp.concatenate([x, skips.pop()], axis=-1)
                x = self._block(x, embedding, width, level, f"up{level + 1}", block, train)
            if level:
                x = _conv(width, self.dtype, f"up{level + 1}_upsample")(upsample_nearest(x))
        x = silu(_norm(self.groups, self.dtype, "head_norm")(x, train=train))
        x = _conv(self.channels * self.patch**2, self.dtype, "head", init=_ZEROS)(x)
        x = rearrange(x, "b h w (p q c) -> b (h p) (w q) c", **squares)
        return x.astype(jnp.float32)

    def _embedding(self, t: jax.Array, labels: jax.Array | None) -> jax.Array:
        """Embeds times and classes [B, 4 * widths[0]]."""
        width = 4 * self.widths[0]
        y = time_embedding(t, self.widths[0]).astype(self.dtype)
        y = nn.Dense(width, kernel_init=_INIT, dtype=self.dtype, name="time1")(y)
        y = nn.Dense(width, kernel_init=_INIT, dtype=self.dtype, name="time2")(silu(y))
        if self.num_classes is None:
            if labels is not None:
                raise ValueError("labels need a network with num_classes, and it is None")
            return y
        if labels is None:
            labels = jnp.full(t.shape, self.num_classes, jnp.int32)
        table = nn.Embed(
            self.num_classes + 1,
            width,
            embedding_init=nn.initializers.normal(1.0),
            dtype=self.dtype,
            name="class_embedding",
        )
        return y + table(labels)

    def _block(
        self,
        x: jax.Array,
        embedding: jax.Array,
        width: int,
        level: int,
        stage: str,
        block: int,
        train: bool,
    ) -> jax.Array:
        x = self._residual(width, f"{stage}_block{block + 1}")(x, embedding, train=train)
        if level in self.attention_levels:
            name = f"{stage}_attention{block + 1}"
            x = PixelAttention(self.groups, self.dtype, name=name)(x, train=train)
        return x

    def _residual(self, width: int, name: str) -> ResidualBlock:
        return ResidualBlock(width, self.groups, self.dropout, self.dtype, name=name)


def _norm(groups: int, dtype: jnp.dtype, name: str) -> GroupNorm:
    return GroupNorm(groups, EPSILON, dtype=dtype, name=name)


def _conv(
    features: int,
    dtype: jnp.dtype,
    name: str,
    *,
    size: int = 3,
    stride: int = 1,
    init: jax.nn.initializers.Initializer = _INIT,
) -> Conv:
    # TensorFlow pads a stride of 2 on the right and at the bottom only.
    pads = (0, 1) if stride == 2 else (size // 2, size // 2)
    return Conv(
        features,
        (size, size),
        strides=(stride, stride),
        padding=(pads, pads),
        kernel_init=init,
        dtype=dtype,
        name=name,
    )


VARIANTS: dict[str, dict[str, Any]] = {
    "ddpm_cifar10": dict(),
    "ddpm_256": dict(widths=(128, 128, 256, 256, 512, 512), attention_levels=(4,), dropout=0.0),
    "ddpm_small": dict(channels=1, widths=(32, 64, 96), blocks=1, patch=2, groups=8, dropout=0.0),
    "ddpm_tiny": dict(channels=1, widths=(32, 64), blocks=1, patch=2, groups=8, dropout=0.0),
}


def ddpm_unet(variant: str = "ddpm_cifar10", **overrides: Any) -> DDPMUNet:
    """Builds a network from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant.
    """
    return DDPMUNet(**(fields_of(variant, VARIANTS) | overrides))
