"""ViT: a transformer's encoder over the patches of an image.

An Image is Worth 16x16 Words, Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929, figure 1,
equations 1 to 4 and table 1; the smaller variants are of Touvron et al. 2021,
https://arxiv.org/abs/2012.12877, table 1, and of Steiner et al. 2021,
https://arxiv.org/abs/2106.10270, table 2. Equal to timm's and torchvision's; big_vision's is
`activation="gelu_tanh", weight_init="big_vision"`, and its better baseline (Beyer et al. 2022,
https://arxiv.org/abs/2205.01580) also has `pool="gap", position="sincos2d"`.

Departs from the paper: the layer of width `rep_size` before the head, which the paper has only
in pre-training, is an option of any classifier. Positions of images of another size than
`image_size` are interpolated in the forward pass, bicubic with antialiasing, as in timm. With
`position="sincos2d"`, a class token has no position.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.activations import activation
from jaxvision.layers.attention import SelfAttention
from jaxvision.layers.convolution import Conv
from jaxvision.layers.drop_path import DropPath, linear_rates
from jaxvision.layers.mlp import MLP
from jaxvision.models.backbones.vit_weight_init import WEIGHT_INITS
from jaxvision.models.variant import fields_of
from jaxvision.ops.position_embedding import resize_position_embedding, sincos_position_embedding

EPSILON = 1e-6


class ViTTokens(NamedTuple):
    """Normalised outputs of the encoder.

    Attributes:
        patches: Features of the patches [B, H / patch, W / patch, D].
        class_token: [B, D], or None where patches are averaged.
    """

    patches: jax.Array
    class_token: jax.Array | None


class EncoderBlock(nn.Module):
    """Attention and a perceptron, each normalised before and added to its input.

    Equations 2 and 3 of the paper; figure 1, right.

    Attributes:
        heads: Heads of attention.
        mlp_ratio: Units of the perceptron over the width.
        activation: Of the perceptron, a name of `jaxvision.layers.activations`.
        dropout: Fraction of values dropped in training after every layer but queries, keys, values.
        drop_path: Probability of dropping either branch in training.
        layer_scale: Initial value of a factor for each channel of both branches (Touvron et al.
            2021, https://arxiv.org/abs/2103.17239, equation 4), or None for no factors.
        weight_init: A row of `WEIGHT_INITS`.
        implementation: Of attention.
        dtype: Of the computation; parameters are float32.
    """

    heads: int
    mlp_ratio: int = 4
    activation: str = "gelu"
    dropout: float = 0.0
    drop_path: float = 0.0
    layer_scale: float | None = None
    weight_init: str = "timm"
    implementation: str | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps tokens [B, T, D] to [B, T, D]."""
        initial, features = WEIGHT_INITS[self.weight_init], x.shape[-1]

        def add(x: jax.Array, y: jax.Array, name: str) -> jax.Array:
            if self.layer_scale is not None:
                value = nn.initializers.constant(self.layer_scale)
                scale = self.param(f"{name}_scale", value, (features,), jnp.float32)
                y = y * scale.astype(self.dtype)[None, None]
            if self.drop_path:
                y = DropPath(self.drop_path, name=f"{name}_drop")(y, train=train)
            return x + y

        y = nn.LayerNorm(EPSILON, dtype=self.dtype, name="attention_norm")(x)
        y = SelfAttention(
            self.heads,
            self.implementation,
            qkv_init=initial.qkv,
            out_init=initial.out,
            dtype=self.dtype,
            name="attention",
        )(y)
        x = add(x, nn.Dropout(self.dropout, deterministic=not train)(y), "attention")
        y = nn.LayerNorm(EPSILON, dtype=self.dtype, name="mlp_norm")(x)
        y = MLP(
            self.mlp_ratio * features,
            activation(self.activation),
            self.dropout,
            kernel_init=initial.mlp,
            bias_init=initial.mlp_bias,
            dtype=self.dtype,
            name="mlp",
        )(y, train=train)
        return add(x, y, "mlp")


class ViT(nn.Module):
    """Patches embedded linearly, with their positions, through a stack of encoder blocks.

    Attributes:
        patch: Side of a patch in pixels.
        width: Channels of a token, D.
        depth: Number of blocks.
        heads: Heads of attention.
        mlp_ratio: Units of the perceptrons over the width.
        image_size: Side, or height and width, of the images that learned positions are for;
            positions of other images are interpolated.
        pool: "token" for a class token that a classifier reads, "gap" for none: a classifier
            averages the patches.
        position: "learn" for learned embeddings of positions, "sincos2d" for fixed waves.
        activation: Of the perceptrons, "gelu" (exact) or "gelu_tanh".
        weight_init: Whose initial values: "timm", "big_vision" or "torchvision".
        dropout: Fraction of values dropped in training, after the positions are added and after
            every layer but queries, keys and values.
        drop_path: Probability of dropping a branch of the last block in training; it grows
            linearly from 0 at the first.
        layer_scale: Initial value of factors for the branches' channels, or None for no factors.
        implementation: Of attention: None, or "cudnn" on NVIDIA GPUs in 16 bits.
        remat: Whether the backward pass recomputes the activations of each block instead of
            storing them (gradient checkpointing).
        dtype: Of the computation; parameters are float32.

    Raises:
        ValueError: If the patch does not divide `image_size`, the heads do not divide the width, or
            an option has an unknown value.
    """

    patch: int
    width: int
    depth: int
    heads: int
    mlp_ratio: int = 4
    image_size: int | tuple[int, int] = 224
    pool: str = "token"
    position: str = "learn"
    activation: str = "gelu"
    weight_init: str = "timm"
    dropout: float = 0.0
    drop_path: float = 0.0
    layer_scale: float | None = None
    implementation: str | None = None
    remat: bool = False
    dtype: jnp.dtype = jnp.float32

    def __post_init__(self) -> None:
        for name, known in (
            ("pool", ("token", "gap")),
            ("position", ("learn", "sincos2d")),
            ("weight_init", tuple(WEIGHT_INITS)),
        ):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} must be one of {', '.join(known)}, got {getattr(self, name)}"
                )
        if self.width % self.heads:
            raise ValueError(
                f"heads must divide the width, got {self.heads} heads and a width of {self.width}"
            )
        _check_sides("image_size", self._sides, self.patch)
        super().__post_init__()

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the patches that learned positions are for."""
        height, width = self._sides
        return height // self.patch, width // self.patch

    @property
    def _sides(self) -> tuple[int, int]:
        size = self.image_size
        return (size, size) if isinstance(size, int) else size

    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps images [B, H, W, 3] to {patch: features [B, H / patch, W / patch, D]}.

        Raises:
            ValueError: As `encode`.
        """
        return {self.patch: self.encode(images, train=train).patches}

    @nn.compact
    def encode(self, images: jax.Array, *, train: bool) -> ViTTokens:
        """Maps images [B, H, W, 3] to the features of their patches and the class token.

        Raises:
            ValueError: If the patch does not divide the image.
        """
        _, height, width, channels = images.shape
        _check_sides("images", (height, width), self.patch)
        rows, columns = height // self.patch, width // self.patch
        initial = WEIGHT_INITS[self.weight_init]
        x = Conv(
            self.width,
            (self.patch, self.patch),
            strides=(self.patch, self.patch),
            padding="VALID",
            kernel_init=initial.patch,
            bias_init=initial.patch_bias(self.patch**2 * channels),
            dtype=self.dtype,
            name="patch_embedding",
        )(images.astype(self.dtype))
        x = x.reshape(x.shape[0], rows * columns, self.width)

        if self.position == "sincos2d":
            waves = sincos_position_embedding(rows, columns, self.width)
            x = x + jnp.asarray(waves, self.dtype)
        if self.pool == "token":
            shape = (1, 1, self.width)
            token = self.param("class_token", initial.class_token, shape, jnp.float32)
            token = jnp.broadcast_to(token.astype(self.dtype), (x.shape[0], *shape[1:]))
            x = jnp.concatenate([token, x], axis=1)
        if self.position == "learn":
            shape = (1, math.prod(self.grid) + (self.pool == "token"), self.width)
            learned = self.param(
                "position_embedding", initial.position(self.width), shape, jnp.float32
            )
            learned = resize_position_embedding(learned, self.grid, (rows, columns))
            x = x + learned.astype(self.dtype)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)

        def run(block: EncoderBlock, x: jax.Array) -> jax.Array:
            # A closure over `train`, so that it stays a Python bool under `nn.remat`.
            return block(x, train=train)

        run = nn.remat(run) if self.remat else run
        rates = linear_rates(self.drop_path, self.depth, from_zero=True)
        for i, rate in enumerate(rates, start=1):
            block = EncoderBlock(
                heads=self.heads,
                mlp_ratio=self.mlp_ratio,
                activation=self.activation,
                dropout=self.dropout,
                drop_path=rate,
                layer_scale=self.layer_scale,
                weight_init=self.weight_init,
                implementation=self.implementation,
                dtype=self.dtype,
                name=f"block{i}",
            )
            x = run(block, x)
        x = nn.LayerNorm(EPSILON, dtype=self.dtype, name="norm")(x)
        token, patches = (x[:, 0], x[:, 1:]) if self.pool == "token" else (None, x)
        return ViTTokens(patches.reshape(x.shape[0], rows, columns, self.width), token)


def _check_sides(name: str, sides: tuple[int, int], patch: int) -> None:
    if any(side % patch for side in sides):
        raise ValueError(
            f"sides of {name} must be multiples of the patch of {patch} pixels, "
            f"got {sides[0]} x {sides[1]}"
        )


class ViTClassifier(nn.Module):
    """Reads the class token, or the mean of the patches, with a linear layer.

    Attributes:
        backbone: Encoder.
        num_classes: K.
        rep_size: Units of a layer with tanh before the head; 0 or None for none.
        head_bias: Initial value of the head's bias; big_vision has -6.9 with sigmoid losses.
    """

    backbone: ViT
    num_classes: int = 1000
    rep_size: int | None = None
    head_bias: float = 0.0

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps images [B, H, W, 3] to logits [B, K] in float32."""
        tokens = self.backbone.encode(images, train=train)
        x = tokens.class_token
        if x is None:
            x = tokens.patches.astype(jnp.float32).mean((1, 2))
        x = x.astype(jnp.float32)
        initial = WEIGHT_INITS[self.backbone.weight_init]
        if self.rep_size:
            x = nn.Dense(self.rep_size, kernel_init=initial.pre_logits, name="pre_logits")(x)
            x = nn.tanh(x)
        return nn.Dense(
            self.num_classes,
            kernel_init=initial.head,
            bias_init=nn.initializers.constant(self.head_bias),
            name="head",
        )(x)


_TINY = dict(width=192, depth=12, heads=3)
_SMALL = dict(width=384, depth=12, heads=6)
_BASE = dict(width=768, depth=12, heads=12)
_LARGE = dict(width=1024, depth=24, heads=16)

VARIANTS: dict[str, dict[str, Any]] = {
    "vit_ti_16": dict(patch=16, **_TINY),
    "vit_s_16": dict(patch=16, **_SMALL),
    "vit_s_32": dict(patch=32, **_SMALL),
    "vit_b_16": dict(patch=16, **_BASE),
    "vit_b_32": dict(patch=32, **_BASE),
    "vit_l_16": dict(patch=16, **_LARGE),
    "vit_l_32": dict(patch=32, **_LARGE),
}


def vit(variant: str, **overrides: Any) -> ViT:
    """Builds a backbone from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return ViT(**(fields_of(variant, VARIANTS) | overrides))


def vit_classifier(
    variant: str,
    *,
    num_classes: int = 1000,
    rep_size: int | None = None,
    head_bias: float = 0.0,
    **overrides: Any,
) -> ViTClassifier:
    """Builds a classifier on `vit(variant, **overrides)`.

    Args:
        variant: A name of `VARIANTS`.
        num_classes: K.
        rep_size: Units of a layer with tanh before the head; 0 or None for none.
        head_bias: Initial value of the head's bias.
        **overrides: Fields of `ViT`.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return ViTClassifier(vit(variant, **overrides), num_classes, rep_size, head_bias)
