"""VGG: stacks of 3 x 3 convolutions.

Very Deep Convolutional Networks for Large-Scale Image Recognition, Simonyan and Zisserman 2014,
https://arxiv.org/abs/1409.1556, table 1: configurations A, B, D and E. Equal to torchvision's.

Departs from the paper: `_bn` variants normalise after each convolution, which keeps its bias, and
initial kernels of convolutions are N(0, 2 / fan_out), both as in torchvision. Images of any size
are accepted; their last map is averaged over 7 x 7 bins.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import Norm
from jaxvision.layers.convolution import Conv
from jaxvision.layers.initializers import he_normal_fan_out
from jaxvision.layers.pooling import adaptive_avg_pool, max_pool
from jaxvision.models.variant import fields_of


class VGG(nn.Module):
    """Five stages of convolutions, or fewer, each followed by a pool.

    Attributes:
        depths: Convolutions of the stages at strides 1, 2, 4, 8 and 16, or of the first of these.
        norm: Factory of the normalisation between convolution and ReLU, or None for none.
        ceil_pool: Whether pools take the last row and column of an odd map, as SSD's third does.
        last_relu: Whether the last convolution is followed by a ReLU; perceptual losses take its
            result without.
        dtype: Of the computation; parameters and statistics are float32.
    """

    depths: tuple[int, ...]
    norm: Norm | None = None
    ceil_pool: bool = False
    last_relu: bool = True
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps images [B, H, W, 3] to {1, 2, 4, 8, 16: of each stage, 32: the last, pooled}."""
        x, outputs = images.astype(self.dtype), {}
        for stage, depth in enumerate(self.depths, start=1):
            for i in range(1, depth + 1):
                x = Conv(
                    min(32 * 2**stage, 512),
                    (3, 3),
                    padding=1,
                    kernel_init=he_normal_fan_out(),
                    dtype=self.dtype,
                    name=f"stage{stage}_conv{i}",
                )(x)
                if self.norm is not None:
                    x = self.norm(dtype=self.dtype, name=f"stage{stage}_norm{i}")(x, train=train)
                if self.last_relu or (stage, i) != (len(self.depths), depth):
                    x = nn.relu(x)
            outputs[2 ** (stage - 1)] = x
            x = max_pool(x, window=2, stride=2, ceil_mode=self.ceil_pool)
        outputs[2 ** len(self.depths)] = x
        return outputs


class VGGClassifier(nn.Module):
    """VGG and three dense layers.

    Attributes:
        backbone: Network from images to {stride: features}.
        num_classes: K.
        hidden: Units of each hidden layer.
        dropout: Probability of zeroing a hidden unit in training.
    """

    backbone: VGG
    num_classes: int = 1000
    hidden: int = 4096
    dropout: float = 0.5

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps images [B, H, W, 3] to logits [B, K] in float32."""
        x = adaptive_avg_pool(self.backbone(images, train=train)[32], 7, 7)
        x = x.reshape(x.shape[0], -1)
        init = nn.initializers.normal(0.01)
        for name in ("fc6", "fc7"):
            x = nn.Dense(self.hidden, kernel_init=init, dtype=self.backbone.dtype, name=name)(x)
            drop = nn.Dropout(self.dropout, deterministic=not train, name=f"{name}_dropout")
            x = drop(nn.relu(x))
        return nn.Dense(self.num_classes, kernel_init=init, dtype=jnp.float32, name="head")(x)


VARIANTS: dict[str, dict[str, Any]] = {
    "vgg11": dict(depths=(1, 1, 2, 2, 2)),
    "vgg13": dict(depths=(2, 2, 2, 2, 2)),
    "vgg16": dict(depths=(2, 2, 3, 3, 3)),
    "vgg19": dict(depths=(2, 2, 4, 4, 4)),
    "vgg11_bn": dict(depths=(1, 1, 2, 2, 2), norm=BatchNorm),
    "vgg13_bn": dict(depths=(2, 2, 2, 2, 2), norm=BatchNorm),
    "vgg16_bn": dict(depths=(2, 2, 3, 3, 3), norm=BatchNorm),
    "vgg19_bn": dict(depths=(2, 2, 4, 4, 4), norm=BatchNorm),
}


def vgg(variant: str, **overrides: Any) -> VGG:
    """Builds a backbone from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return VGG(**(fields_of(variant, VARIANTS) | overrides))


def vgg_classifier(
    variant: str,
    *,
    num_classes: int = 1000,
    hidden: int = 4096,
    dropout: float = 0.5,
    **overrides: Any,
) -> VGGClassifier:
    """Builds a classifier around `vgg(variant, **overrides)`."""
    return VGGClassifier(vgg(variant, **overrides), num_classes, hidden, dropout)
