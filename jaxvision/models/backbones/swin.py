"""Swin: a pyramid of transformer blocks whose attention stays within shifted windows.

Swin Transformer, Liu et al. 2021, https://arxiv.org/abs/2103.14030, figures 2 to 4, equations 3
and 4 and table 7. Equal to torchvision's, and to timm's and the authors' where these agree with it.

Departs from the paper: pixels of other regions are masked out of a shifted window's softmax
entirely instead of by -100. As in torchvision, images of any size are accepted: pixels past the
last whole patch are dropped, maps are padded with zeros to whole windows (the zeros are attended
to) and to even sides before merging, and a side that one window covers is not shifted.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxvision.layers.activations import activation
from jaxvision.layers.attention import SelfAttention
from jaxvision.layers.convolution import Conv
from jaxvision.layers.drop_path import DropPath, linear_rates
from jaxvision.layers.initializers import torch_uniform, uniform_bias
from jaxvision.layers.mlp import MLP
from jaxvision.models.backbones.pooled_classifier import PooledClassifier
from jaxvision.models.variant import fields_of
from jaxvision.ops.resize import space_to_depth

EPSILON = 1e-5
# As in both references, whose truncation at -2 and 2, 100 deviations away, has no effect.
_normal = nn.initializers.normal(0.02)


def relative_position_index(window: int) -> np.ndarray:
    """Numbers the offsets between the pixels of a window.

    Args:
        window: Side M of the window.

    Returns:
        [M * M, M * M] int32: for a query's and a key's pixel, rows first, the offset from key to
        query as (dy + M - 1) * (2 * M - 1) + dx + M - 1.
    """
    y, x = np.mgrid[:window, :window].reshape(2, -1) + (window - 1)
    dy, dx = (p[:, None] - p[None] + window - 1 for p in (y, x))
    return (dy * (2 * window - 1) + dx).astype(np.int32)


def shift_mask(height: int, width: int, window: int, shift: tuple[int, int]) -> np.ndarray | None:
    """Computes which pixels of a window were neighbours before the map was rolled.

    Args:
        height: Of the map, a multiple of the window.
        width: Of the map, a multiple of the window.
        window: Side M of a window.
        shift: Pixels by which rows and columns were rolled up and left.

    Returns:
        [windows, M * M, M * M], True where a query attends to a key (figure 4 of the paper);
        None if nothing was rolled.
    """
    if not any(shift):
        return None
    # The pixels rolled in from the other side are a region of their own on each axis.
    rows, columns = (
        np.arange(side) >= side - by for side, by in zip((height, width), shift, strict=True)
    )
    regions = partition((2 * rows[:, None] + columns[None])[None, ..., None], window)[..., 0]
    return regions[:, :, None] == regions[:, None]


def partition(x: Any, window: int) -> Any:
    """Cuts maps [B, H, W, C] into windows [B * windows, M * M, C], rows of windows first."""
    b, h, w, c = x.shape
    x = x.reshape(b, h // window, window, w // window, window, c)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(-1, window * window, c)


def unpartition(windows: Any, window: int, height: int, width: int) -> Any:
    """Joins windows [B * windows, M * M, C] into maps [B, height, width, C]."""
    x = windows.reshape(-1, height // window, width // window, window, window, windows.shape[-1])
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(-1, height, width, windows.shape[-1])


class SwinBlock(nn.Module):
    """Attention within windows and a perceptron, each normalised before and added to its input.

    Equation 3 and figure 3b of the paper.

    Attributes:
        heads: Heads of attention.
        window: Side of the windows.
        shift: Pixels by which the windows are shifted down and right.
        mlp_ratio: Units of the perceptron over the width.
        dropout: Fraction of values dropped in training after every layer but queries, keys, values.
        drop_path: Probability of dropping either branch in training.
        implementation: Of attention.
        dtype: Of the computation; parameters are float32.
    """

    heads: int
    window: int = 7
    shift: int = 0
    mlp_ratio: int = 4
    dropout: float = 0.0
    drop_path: float = 0.0
    implementation: str | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, H, W, C]."""

        def add(x: jax.Array, y: jax.Array, name: str) -> jax.Array:
            if self.drop_path:
                y = DropPath(self.drop_path, name=f"{name}_drop")(y, train=train)
            return x + y

        y = nn.LayerNorm(EPSILON, dtype=self.dtype, name="attention_norm")(x)
        y = nn.Dropout(self.dropout, deterministic=not train)(self._attend(y))
        x = add(x, y, "attention")
        y = nn.LayerNorm(EPSILON, dtype=self.dtype, name="mlp_norm")(x)
        y = MLP(
            self.mlp_ratio * x.shape[-1],
            activation("gelu"),
            self.dropout,
            kernel_init=_normal,
            dtype=self.dtype,
            name="mlp",
        )(y, train=train)
        return add(x, y, "mlp")

    def _attend(self, x: jax.Array) -> jax.Array:
        """Pads, shifts, attends within windows, and undoes the first two."""
        b, height, width, _ = x.shape
        m = self.window
        bottom, right = -height % m, -width % m
        rows, columns = height + bottom, width + right
        shift = (self.shift if rows > m else 0, self.shift if columns > m else 0)
        x = jnp.pad(x, ((0, 0), (0, bottom), (0, right), (0, 0)))
        x = jnp.roll(x, (-shift[0], -shift[1]), axis=(1, 2))

        table = self.param(
            "relative_position_bias", _normal, (self.heads, (2 * m - 1) ** 2), jnp.float32
        )
        bias = table[:, relative_position_index(m)][None]
        mask = shift_mask(rows, columns, m, shift)
        if mask is not None:
            mask = jnp.asarray(mask)[None, :, None]
            mask = jnp.broadcast_to(mask, (b, *mask.shape[1:])).reshape(-1, *mask.shape[2:])
        y = SelfAttention(
            self.heads,
            self.implementation,
            qkv_init=_normal,
            out_init=_normal,
            dtype=self.dtype,
            name="attention",
        )(partition(x, m), bias=bias, mask=mask)

        y = unpartition(y, m, rows, columns)
        return jnp.roll(y, shift, axis=(1, 2))[:, :height, :width]


class PatchMerging(nn.Module):
    """Joins each 2 x 2 pixels into one of twice the channels (section 3.1 of the paper).

    Attributes:
        dtype: Of the computation; parameters are float32.
    """

    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [B, H, W, C] to [B, ceil(H / 2), ceil(W / 2), 2 * C]."""
        _, height, width, channels = x.shape
        x = jnp.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
        x = nn.LayerNorm(EPSILON, dtype=self.dtype, name="norm")(space_to_depth(x))
        return nn.Dense(
            2 * channels, use_bias=False, kernel_init=_normal, dtype=self.dtype, name="reduce"
        )(x)


class Swin(nn.Module):
    """Patches of 4 x 4 pixels and four stages of blocks, between which 2 x 2 pixels are merged.

    Attributes:
        width: Channels of the first stage; each further one has twice as many.
        depths: Blocks of the stages at strides 4, 8, 16 and 32; every second one is shifted.
        heads: Heads of attention in the stages.
        window: Side of the windows; shifted ones are shifted by half of it, rounded down.
        mlp_ratio: Units of the perceptrons over the width.
        dropout: Fraction of values dropped in training after the patches' embedding and after every
            layer but queries, keys and values.
        drop_path: Probability of dropping a branch of the last block in training; it grows
            linearly from 0 at the first.
        implementation: Of attention: None, or "cudnn" on NVIDIA GPUs in 16 bits.
        remat: Whether the backward pass recomputes the activations of each block instead of
            storing them (gradient checkpointing).
        dtype: Of the computation; parameters are float32.
    """

    width: int
    depths: tuple[int, ...]
    heads: tuple[int, ...]
    window: int = 7
    mlp_ratio: int = 4
    dropout: float = 0.0
    drop_path: float = 0.0
    implementation: str | None = None
    remat: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps images [B, H, W, 3] to {4, 8, 16, 32: features}.

        Sides are rounded down at stride 4, up after it. Only the features of the last stage
        are normalised.

        Raises:
            ValueError: If an image is smaller than a patch, or the stages' heads do not divide
                their channels.
        """
        if min(images.shape[1:3]) < 4:
            raise ValueError(f"images must be at least 4 pixels, got {images.shape[1:3]}")
        x = Conv(
            self.width,
            (4, 4),
            strides=(4, 4),
            padding="VALID",
            kernel_init=torch_uniform(),
            bias_init=uniform_bias(16 * images.shape[-1]),
            dtype=self.dtype,
            name="patch_embedding",
        )(images.astype(self.dtype))
        x = nn.LayerNorm(EPSILON, dtype=self.dtype, name="patch_norm")(x)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)

        def run(block: SwinBlock, x: jax.Array) -> jax.Array:
            # A closure over `train`, so that it stays a Python bool under `nn.remat`.
            return block(x, train=train)

        run = nn.remat(run) if self.remat else run
        outputs = {}
        rates = iter(linear_rates(self.drop_path, sum(self.depths), from_zero=True))
        for stage, (depth, heads) in enumerate(zip(self.depths, self.heads, strict=True), start=1):
            if stage > 1:
                x = PatchMerging(self.dtype, name=f"merge{stage}")(x)
            for i in range(depth):
                block = SwinBlock(
                    heads=heads,
                    window=self.window,
                    shift=self.window // 2 if i % 2 else 0,
                    mlp_ratio=self.mlp_ratio,
                    dropout=self.dropout,
                    drop_path=next(rates),
                    implementation=self.implementation,
                    dtype=self.dtype,
                    name=f"stage{stage}_block{i + 1}",
                )
                x = run(block, x)
            outputs[2 ** (stage + 1)] = x
        outputs[max(outputs)] = nn.LayerNorm(EPSILON, dtype=self.dtype, name="norm")(x)
        return outputs


# With the drop path rates of the paper's appendix A2.1 and of torchvision.
VARIANTS: dict[str, dict[str, Any]] = {
    "swin_t": dict(width=96, depths=(2, 2, 6, 2), heads=(3, 6, 12, 24), drop_path=0.2),
    "swin_s": dict(width=96, depths=(2, 2, 18, 2), heads=(3, 6, 12, 24), drop_path=0.3),
    "swin_b": dict(width=128, depths=(2, 2, 18, 2), heads=(4, 8, 16, 32), drop_path=0.5),
}


def swin(variant: str, **overrides: Any) -> Swin:
    """Builds a backbone from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return Swin(**(fields_of(variant, VARIANTS) | overrides))


def swin_classifier(variant: str, *, num_classes: int = 1000, **overrides: Any) -> PooledClassifier:
    """Builds a classifier on `swin(variant, **overrides)`."""
    return PooledClassifier(swin(variant, **overrides), num_classes, kernel_init=_normal)
