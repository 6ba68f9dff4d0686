"""Inception-v3: factorised convolutions in parallel branches, and an auxiliary classifier.

Rethinking the Inception Architecture for Computer Vision, Szegedy et al. 2015,
https://arxiv.org/abs/1512.00567, table 1 and figures 5 to 8. Equal to torchvision's, whose weights
come from the authors'. Those expect images of 299 x 299 normalised by mean 0.5 and standard
deviation 0.5; torchvision converts images normalised by ImageNet's statistics (`transform_input`).

Departs from the paper, as the authors' code does:
    The stem ends in a 1 x 1 and a 3 x 3 convolution and max pooling, where table 1 has three 3 x 3
    convolutions.
    The blocks at 35 x 35 keep a 5 x 5 convolution in one branch, where figure 5 has a 3 x 3.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import ConvNormAct, Norm
from jaxvision.layers.csp import ConvFactory
from jaxvision.layers.initializers import uniform_bias
from jaxvision.layers.pooling import avg_pool, max_pool
from jaxvision.models.classifier_output import ClassifierOutput
from jaxvision.models.variant import fields_of

Kernel = int | tuple[int, int]

# A branch is a chain of convolutions (features, kernel); its module has the name of the branch.
Layers = tuple[tuple[int, Kernel], ...]
Branches = tuple[tuple[str, Layers], ...]


class Branch(nn.Module):
    """A chain of convolution blocks.

    Attributes:
        layers: Features and kernel of each.
        conv: Factory of convolution blocks.
        halve: Whether the last has stride 2 and no padding.
    """

    layers: Layers
    conv: ConvFactory
    halve: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, H, W, features], or (H - 1) // 2 rows if it halves."""
        for i, (features, kernel) in enumerate(self.layers, start=1):
            strided = self.halve and i == len(self.layers)
            stride, padding = (2, 0) if strided else (1, None)
            conv = self.conv(features, kernel, stride, padding=padding, name=f"conv{i}")
            x = conv(x, train=train)
        return x


class InceptionBlock(nn.Module):
    """Branches that keep the map's size, and a mean over 3 x 3 with a 1 x 1 convolution.

    Attributes:
        branches: Names and layers of the branches (figures 5 and 6).
        pool_features: Output channels of the pooling branch, which comes last.
        conv: Factory of convolution blocks.
        split: Names of branches whose output a 1 x 3 and a 3 x 1 convolution share (figure 7).
    """

    branches: Branches
    pool_features: int
    conv: ConvFactory
    split: tuple[str, ...] = ()

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, H, W, features of all branches]."""
        outputs = []
        for name, layers in self.branches:
            y = Branch(layers, self.conv, name=name)(x, train=train)
            if name not in self.split:
                outputs.append(y)
                continue
            width = layers[-1][0]
            outputs.append(self.conv(width, (1, 3), name=f"{name}_row")(y, train=train))
            outputs.append(self.conv(width, (3, 1), name=f"{name}_column")(y, train=train))
        # Padding counts in the mean, as in torchvision.
        y = nn.avg_pool(x, window_shape=(3, 3), strides=(1, 1), padding="SAME")
        outputs.append(Branch(((self.pool_features, 1),), self.conv, name="pool")(y, train=train))
        return jnp.concatenate(outputs, axis=-1)


class ReductionBlock(nn.Module):
    """Branches that halve the map, and a maximum over 3 x 3 (figure 10).

    Attributes:
        branches: Names and layers of the branches.
        conv: Factory of convolution blocks.
    """

    branches: Branches
    conv: ConvFactory

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, (H - 1) // 2, (W - 1) // 2, features of all branches + C]."""
        outputs = [
            Branch(layers, self.conv, halve=True, name=name)(x, train=train)
            for name, layers in self.branches
        ]
        return jnp.concatenate([*outputs, max_pool(x, window=3, stride=2)], axis=-1)


def _grid35(pool_features: int) -> dict[str, Any]:
    branches = (
        ("branch1x1", ((64, 1),)),
        ("branch5x5", ((48, 1), (64, 5))),
        ("branch3x3dbl", ((64, 1), (96, 3), (96, 3))),
    )
    return dict(branches=branches, pool_features=pool_features)


def _grid17(width: int) -> dict[str, Any]:
    row, column = (1, 7), (7, 1)
    double = ((width, 1), (width, column), (width, row), (width, column), (192, row))
    branches = (
        ("branch1x1", ((192, 1),)),
        ("branch7x7", ((width, 1), (width, row), (192, column))),
        ("branch7x7dbl", double),
    )
    return dict(branches=branches, pool_features=192)


_GRID8: dict[str, Any] = dict(
    branches=(
        ("branch1x1", ((320, 1),)),
        ("branch3x3", ((384, 1),)),
        ("branch3x3dbl", ((448, 1), (384, 3))),
    ),
    pool_features=192,
    split=("branch3x3", "branch3x3dbl"),
)
_TO_GRID17 = (("branch3x3", ((384, 3),)), ("branch3x3dbl", ((64, 1), (96, 3), (96, 3))))
_TO_GRID8 = (
    ("branch3x3", ((192, 1), (320, 3))),
    ("branch7x7x3", ((192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3))),
)
_BLOCKS = (
    ("mixed5b", _grid35(32)),
    ("mixed5c", _grid35(64)),
    ("mixed5d", _grid35(64)),
    ("mixed6a", _TO_GRID17),
    ("mixed6b", _grid17(128)),
    ("mixed6c", _grid17(160)),
    ("mixed6d", _grid17(160)),
    ("mixed6e", _grid17(192)),
    ("mixed7a", _TO_GRID8),
    ("mixed7b", _GRID8),
    ("mixed7c", _GRID8),
)
_STRIDES = {"mixed5d": 8, "mixed6e": 16, "mixed7c": 32}


batch_norm = functools.partial(BatchNorm, epsilon=1e-3)


def _conv(stddev: float, norm: Norm, dtype: jnp.dtype) -> ConvFactory:
    # torchvision truncates at an absolute 2, which is 20 or more standard deviations away.
    return functools.partial(
        ConvNormAct,
        norm=norm,
        kernel_init=nn.initializers.normal(stddev),
        dtype=dtype,
    )


class InceptionV3(nn.Module):
    """A stem of five convolutions and two pools, and eleven Inception blocks.

    Attributes:
        norm: Factory of the normalisation.
        dtype: Of the computation; parameters and statistics are float32.
    """

    norm: Norm = batch_norm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps images [B, H, W, 3] to {2, 4, 8, 16, 32: features}.

        Most strided layers pad nothing, so maps are smaller than H / stride: 147, 71, 35, 17 and 8
        rows for 299. Channels are 64, 192, 288, 768 and 2048.

        Raises:
            ValueError: If H or W is less than 75, which leaves one pixel of the last map.
        """
        if min(images.shape[1:3]) < 75:
            raise ValueError(f"images must be at least 75 x 75, got {images.shape[1:3]}")
        conv = _conv(0.1, self.norm, self.dtype)
        x = conv(32, 3, 2, padding=0, name="stem_conv1")(images.astype(self.dtype), train=train)
        x = conv(32, 3, padding=0, name="stem_conv2")(x, train=train)
        outputs = {2: conv(64, 3, name="stem_conv3")(x, train=train)}
        x = max_pool(outputs[2], window=3, stride=2)
        x = conv(80, 1, name="stem_conv4")(x, train=train)
        outputs[4] = conv(192, 3, padding=0, name="stem_conv5")(x, train=train)
        x = max_pool(outputs[4], window=3, stride=2)
        for name, branches in _BLOCKS:
            if isinstance(branches, dict):
                block = InceptionBlock(**branches, conv=conv, name=name)
            else:
                block = ReductionBlock(branches, conv, name=name)
            x = block(x, train=train)
            if name in _STRIDES:
                outputs[_STRIDES[name]] = x
        return outputs


class InceptionAuxiliaryHead(nn.Module):
    """Mean pooling, two convolutions, the mean and a dense layer (figure 8).

    Attributes:
        num_classes: K.
        norm: Factory of the normalisation.
        dtype: Of the convolutions.
    """

    num_classes: int
    norm: Norm = batch_norm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps features [B, H, W, C] to logits [B, K] in float32.

        Raises:
            ValueError: If H or W is less than 17.
        """
        if min(x.shape[1:3]) < 17:
            raise ValueError(
                "the auxiliary head takes maps of at least 17 x 17, which images of 299 x 299 "
                f"have, got {x.shape[1:3]}: use larger images or auxiliary=False"
            )
        x = avg_pool(x, window=5, stride=3)
        x = _conv(0.1, self.norm, self.dtype)(128, 1, name="conv1")(x, train=train)
        x = _conv(0.01, self.norm, self.dtype)(768, 5, padding=0, name="conv2")(x, train=train)
        x = x.astype(jnp.float32).mean((1, 2))
        return nn.Dense(
            self.num_classes,
            kernel_init=nn.initializers.normal(0.001),
            bias_init=uniform_bias(768),
            name="head",
        )(x)


class InceptionV3Classifier(nn.Module):
    """An Inception-v3, the mean over its last map, dropout and a dense layer.

    Attributes:
        backbone: Network from images to {stride: features}.
        num_classes: K.
        auxiliary: Whether there is a second head in training, on the map at stride 16; the authors
            weight its loss by 0.4.
        dropout: Fraction of pooled features dropped in training, drawn from the rng `dropout`.
    """

    backbone: InceptionV3
    num_classes: int = 1000
    auxiliary: bool = True
    dropout: float = 0.5

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array | ClassifierOutput:
        """Maps images [B, H, W, 3] to logits [B, K] in float32.

        Returns:
            The logits, in training with an auxiliary head a `ClassifierOutput`.

        Raises:
            ValueError: If the images are smaller than 75 x 75, or 299 x 299 for the auxiliary head
                in training and when variables are initialised.
        """
        features = self.backbone(images, train=train)
        auxiliary = None
        # `init` creates its variables in either mode.
        if self.auxiliary and (train or self.is_initializing()):
            head = InceptionAuxiliaryHead(
                self.num_classes, self.backbone.norm, self.backbone.dtype, name="auxiliary1"
            )
            auxiliary = head(features[16], train=train)
        x = features[32].astype(jnp.float32).mean((1, 2))
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        logits = nn.Dense(
            self.num_classes,
            kernel_init=nn.initializers.normal(0.1),
            bias_init=uniform_bias(2048),
            name="head",
        )(x)
        return ClassifierOutput(logits, (auxiliary,)) if train and auxiliary is not None else logits


VARIANTS: dict[str, dict[str, Any]] = {
    "inception_v3": dict(),
}


def inception_v3(variant: str = "inception_v3", **overrides: Any) -> InceptionV3:
    """Builds a backbone from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return InceptionV3(**(fields_of(variant, VARIANTS) | overrides))


def inception_v3_classifier(
    variant: str = "inception_v3",
    *,
    num_classes: int = 1000,
    auxiliary: bool = True,
    dropout: float = 0.5,
    **overrides: Any,
) -> InceptionV3Classifier:
    """Builds a classifier on `inception_v3(variant, **overrides)`.

    Args:
        variant: A name of `VARIANTS`.
        num_classes: K.
        auxiliary: Whether there is an auxiliary head in training.
        dropout: Fraction of pooled features dropped in training.
        **overrides: Fields of `InceptionV3`.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    backbone = inception_v3(variant, **overrides)
    return InceptionV3Classifier(backbone, num_classes, auxiliary, dropout)
