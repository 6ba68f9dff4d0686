"""GoogLeNet (Inception-v1): the paper's, and torchvision's with batch normalisation.

Going Deeper with Convolutions, Szegedy et al. 2014, https://arxiv.org/abs/1409.4842, table 1 and
figure 3. `googlenet_original` is the paper's. `googlenet` is equal to torchvision's: batch
normalisation instead of biases and response normalisation, a 3 x 3 convolution in the branch that
should have a 5 x 5, a last pool over 2 x 2, less dropout. Its weights expect images normalised by
mean 0.5 and standard deviation 0.5; torchvision converts images normalised by ImageNet's statistics
(`transform_input`).

Departs from the paper:
    Details that the paper does not state are those of the network that Caffe's authors trained:
    pools extend past the far edge, constants of response normalisation, uniform initial kernels
    with variance 1 / fan_in, initial biases of 0.2.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import ConvNormAct, Norm
from jaxvision.layers.convolution import Conv
from jaxvision.layers.csp import ConvFactory
from jaxvision.layers.initializers import uniform_bias
from jaxvision.layers.local_response_norm import local_response_norm
from jaxvision.layers.pooling import adaptive_avg_pool, avg_pool, max_pool
from jaxvision.models.classifier_output import ClassifierOutput
from jaxvision.models.variant import fields_of

batch_norm = functools.partial(BatchNorm, epsilon=1e-3)
caffe_xavier = nn.initializers.variance_scaling(1.0, "fan_in", "uniform")

# Channels of table 1: 1 x 1, 3 x 3 reduce, 3 x 3, 5 x 5 reduce, 5 x 5, pool projection.
_STAGES = {
    3: {"a": (64, 96, 128, 16, 32, 32), "b": (128, 128, 192, 32, 96, 64)},
    4: {
        "a": (192, 96, 208, 16, 48, 64),
        "b": (160, 112, 224, 24, 64, 64),
        "c": (128, 128, 256, 24, 64, 64),
        "d": (112, 144, 288, 32, 64, 64),
        "e": (256, 160, 320, 32, 128, 128),
    },
    5: {"a": (256, 160, 320, 32, 128, 128), "b": (384, 192, 384, 48, 128, 128)},
}


class ConvAct(nn.Module):
    """A k x k convolution with bias, padded by k // 2 on each side, and ReLU.

    Attributes:
        features: Output channels.
        kernel_size: Side of the filter, odd.
        stride: Spatial stride.
        dtype: Of the computation; parameters are float32.
    """

    features: int
    kernel_size: int
    stride: int = 1
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, ceil(H / stride), ceil(W / stride), features]."""
        conv = Conv(
            self.features,
            (self.kernel_size, self.kernel_size),
            strides=(self.stride, self.stride),
            padding=self.kernel_size // 2,
            kernel_init=caffe_xavier,
            bias_init=nn.initializers.constant(0.2),
            dtype=self.dtype,
            name="conv",
        )
        return nn.relu(conv(x))


def _conv(norm: Norm | None, dtype: jnp.dtype) -> ConvFactory:
    if norm is None:
        return functools.partial(ConvAct, dtype=dtype)
    return functools.partial(
        ConvNormAct,
        norm=norm,
        kernel_init=nn.initializers.normal(0.01),
        dtype=dtype,
    )


class Inception(nn.Module):
    """Four branches side by side (figure 2b).

    Attributes:
        widths: Channels of the 1 x 1, of the reduction before and of the 3 x 3, of the reduction
            before and of the 5 x 5 convolution, and of the projection after the pool.
        large: Side of the filter of the third branch: 5 in the paper, 3 in torchvision.
        conv: Factory of convolution blocks.
    """

    widths: tuple[int, int, int, int, int, int]
    large: int
    conv: ConvFactory

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, H, W, features of all branches]."""
        one, reduce3, three, reduce5, five, pool = self.widths
        y1 = self.conv(one, 1, name="branch1x1")(x, train=train)
        y3 = self.conv(reduce3, 1, name="branch3x3_reduce")(x, train=train)
        y3 = self.conv(three, 3, name="branch3x3")(y3, train=train)
        y5 = self.conv(reduce5, 1, name="branch5x5_reduce")(x, train=train)
        y5 = self.conv(five, self.large, name="branch5x5")(y5, train=train)
        pooled = max_pool(x, window=3, stride=1, padding=1)
        y_pool = self.conv(pool, 1, name="branch_pool")(pooled, train=train)
        return jnp.concatenate([y1, y3, y5, y_pool], axis=-1)


class GoogLeNet(nn.Module):
    """Three convolutions and nine Inception modules.

    Attributes:
        original: Whether to build the paper's network instead of torchvision's.
        norm: Factory of the normalisation, None in the paper's network, whose convolutions have
            biases instead.
        dtype: Of the computation; parameters and statistics are float32.
    """

    original: bool = False
    norm: Norm | None = batch_norm
    dtype: jnp.dtype = jnp.float32

    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps images [B, H, W, 3] to {2, 4, 8, 16, 32: features}.

        The map at stride 2 has ceil(H / 2) rows, each further one half of that rounded down; at
        stride 32 rounded up in torchvision's network. Channels are 64, 192, 480, 832 and 1024.

        Raises:
            ValueError: If an image is so small that a map is left without pixels: H or W less than
                15, 31 in the original. If the original has a norm, or the other none.
        """
        return self.with_taps(images, train=train)[0]

    @nn.compact
    def with_taps(
        self, images: jax.Array, *, train: bool
    ) -> tuple[dict[int, jax.Array], tuple[jax.Array, jax.Array]]:
        """Maps images to the features of `__call__` and the inputs of the auxiliary heads.

        Returns:
            {stride: features} and the outputs of modules 4a and 4d, both at stride 16.
        """
        if self.original != (self.norm is None):
            raise ValueError(
                "norm must be None if and only if the network is the original, "
                f"got original={self.original} and norm={self.norm}"
            )
        smallest = 31 if self.original else 15
        if min(images.shape[1:3]) < smallest:
            raise ValueError(f"images must be at least {smallest} pixels, got {images.shape[1:3]}")
        conv = _conv(self.norm, self.dtype)
        pool = functools.partial(max_pool, window=3, stride=2, ceil_mode=True)
        # Caffe takes the mean of the squares where the function takes their sum.
        norm = functools.partial(local_response_norm, size=5, alpha=1e-4 / 5, beta=0.75, k=1.0)

        x = conv(64, 7, 2, name="stem_conv1")(images.astype(self.dtype), train=train)
        outputs = {2: x}
        x = pool(x)
        x = norm(x) if self.original else x
        x = conv(64, 1, name="stem_conv2")(x, train=train)
        x = conv(192, 3, name="stem_conv3")(x, train=train)
        x = norm(x) if self.original else x
        outputs[4] = x

        taps = {}
        for stage, blocks in _STAGES.items():
            if stage == 5 and not self.original:
                x = max_pool(x, window=2, stride=2, ceil_mode=True)
            else:
                x = pool(x)
            for letter, widths in blocks.items():
                name = f"inception{stage}{letter}"
                large = 5 if self.original else 3
                x = Inception(widths, large, conv, name=name)(x, train=train)
                taps[name] = x
            outputs[2**stage] = x
        return outputs, (taps["inception4a"], taps["inception4d"])


class GoogLeNetAuxiliaryHead(nn.Module):
    """Mean pooling, a 1 x 1 convolution and two dense layers (section 5).

    The original averages over windows of 5 x 5 with a stride of 3, and its dense layer takes maps
    of the size it was initialised with: 14 x 14 of images of 224 x 224. torchvision's averages
    over 4 x 4 bins of maps of any size.

    Attributes:
        num_classes: K.
        original: Whether it belongs to the paper's network.
        norm: Factory of the normalisation, None in the paper's network.
        dtype: Of the computation; logits are float32.
    """

    num_classes: int
    original: bool = False
    norm: Norm | None = batch_norm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps features [B, H, W, C] to logits [B, K] in float32.

        Raises:
            ValueError: If H or W is less than 5 in the original.
        """
        if not self.original:
            x = adaptive_avg_pool(x, 4, 4)
        elif min(x.shape[1:3]) < 5:
            raise ValueError(
                "the auxiliary heads take maps of at least 5 x 5, which images of 79 x 79 have, "
                f"got {x.shape[1:3]}: use larger images or auxiliary=False"
            )
        else:
            x = avg_pool(x, window=5, stride=3)
        x = _conv(self.norm, self.dtype)(128, 1, name="conv")(x, train=train)
        x = x.reshape(x.shape[0], -1)
        hidden = _dense(1024, self.original, x.shape[-1], bias=0.2, dtype=self.dtype, name="hidden")
        x = nn.relu(hidden(x))
        x = nn.Dropout(0.7, deterministic=not train)(x)
        return _dense(self.num_classes, self.original, 1024, name="head")(x.astype(jnp.float32))


def _dense(
    features: int, original: bool, fan_in: int, *, bias: float = 0.0, **fields: Any
) -> nn.Dense:
    if original:
        return nn.Dense(
            features,
            kernel_init=caffe_xavier,
            bias_init=nn.initializers.constant(bias),
            **fields,
        )
    return nn.Dense(
        features,
        kernel_init=nn.initializers.normal(0.01),
        bias_init=uniform_bias(fan_in),
        **fields,
    )


class GoogLeNetClassifier(nn.Module):
    """A GoogLeNet, the mean over its last map, dropout and a dense layer.

    Attributes:
        backbone: Network from images to {stride: features}.
        num_classes: K.
        auxiliary: Whether there are two more heads in training, on modules 4a and 4d; the paper
            weights their losses by 0.3 each.
        dropout: Fraction of pooled features dropped in training, drawn from the rng `dropout`.
    """

    backbone: GoogLeNet
    num_classes: int = 1000
    auxiliary: bool = True
    dropout: float = 0.2

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array | ClassifierOutput:
        """Maps images [B, H, W, 3] to logits [B, K] in float32.

        Returns:
            The logits, in training with auxiliary heads a `ClassifierOutput`.
        """
        original, norm, dtype = self.backbone.original, self.backbone.norm, self.backbone.dtype
        features, taps = self.backbone.with_taps(images, train=train)
        auxiliary = ()
        # `init` creates their variables in either mode.
        if self.auxiliary and (train or self.is_initializing()):
            auxiliary = tuple(
                GoogLeNetAuxiliaryHead(
                    self.num_classes, original, norm, dtype, name=f"auxiliary{i}"
                )(tap, train=train)
                for i, tap in enumerate(taps, start=1)
            )
        x = features[32].astype(jnp.float32).mean((1, 2))
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        logits = _dense(self.num_classes, original, 1024, name="head")(x)
        return ClassifierOutput(logits, auxiliary) if train and auxiliary else logits


VARIANTS: dict[str, dict[str, Any]] = {
    "googlenet": dict(),
    "googlenet_original": dict(original=True, norm=None),
}


def googlenet(variant: str, **overrides: Any) -> GoogLeNet:
    """Builds a backbone from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return GoogLeNet(**(fields_of(variant, VARIANTS) | overrides))


def googlenet_classifier(
    variant: str,
    *,
    num_classes: int = 1000,
    auxiliary: bool = True,
    dropout: float | None = None,
    **overrides: Any,
) -> GoogLeNetClassifier:
    """Builds a classifier on `googlenet(variant, **overrides)`.

    Args:
        variant: A name of `VARIANTS`.
        num_classes: K.
        auxiliary: Whether there are auxiliary heads in training.
        dropout: Fraction of pooled features dropped in training, by default the paper's 0.4 and
            torchvision's 0.2.
        **overrides: Fields of `GoogLeNet`.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    backbone = googlenet(variant, **overrides)
    if dropout is None:
        dropout = 0.4 if backbone.original else 0.2
    return GoogLeNetClassifier(backbone, num_classes, auxiliary, dropout)
