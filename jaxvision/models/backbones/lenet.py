"""LeNet-5: the network of 1998, and its modern form.

Gradient-Based Learning Applied to Document Recognition, LeCun et al. 1998,
http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf, section II.B, figure 2 and table I.
`lenet5_modern` has a dense C3, ReLU, max pooling and a linear output.

Departs from the paper: the output codes are digits of 7 x 12 pixels redrawn in the style of its
figure 3, which is printed too small to copy. The outputs are negative distances, so
that cross entropy of their softmax is its equation 9 without the rubbish class. Biases start at
0; the paper does not state their initial values.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxvision.layers.convolution import Conv, conv_general_dilated
from jaxvision.layers.pooling import max_pool
from jaxvision.models.variant import fields_of

# Table I: the maps of S2 that each map of C3 sees.
C3_INPUTS = (
    *((i, (i + 1) % 6, (i + 2) % 6) for i in range(6)),
    *((i, (i + 1) % 6, (i + 2) % 6, (i + 3) % 6) for i in range(6)),
    *((i, i + 1, (i + 3) % 6, (i + 4) % 6) for i in range(3)),
    (0, 1, 2, 3, 4, 5),
)

_DIGITS = """
..###.. ...##.. .#####. .#####. ....##. ####### ..####. ####### .#####. .#####.
.##.##. ..###.. ##...## ##...## ...###. ##..... .##.... .....## ##...## ##...##
##...## .####.. ##...## .....## ..####. ##..... ##..... .....## ##...## ##...##
##...## ...##.. .....## .....## .##.##. ##..... ##..... ....##. ##...## ##...##
##...## ...##.. ....##. ..####. ##..##. ######. ######. ....##. .#####. .######
##...## ...##.. ...##.. .....## ##..##. .....## ##...## ...##.. ##...## .....##
##...## ...##.. ..##... .....## ####### .....## ##...## ...##.. ##...## .....##
##...## ...##.. .##.... .....## ....##. .....## ##...## ..##... ##...## .....##
.##.##. ...##.. ##..... ##...## ....##. ##...## ##...## ..##... ##...## ....##.
..###.. .###### ####### .#####. ....##. .#####. .#####. ..##... .#####. .####..
....... ....... ....... ....... ....... ....... ....... ....... ....... .......
....... ....... ....... ....... ....... ....... ....... ....... ....... .......
"""
# Target outputs of F6 for each digit [10, 84]: 1 where it is black, -1 elsewhere.
DIGIT_CODES = np.array(
    [
        [1 if pixel == "#" else -1 for row in glyph for pixel in row]
        for glyph in zip(*map(str.split, _DIGITS.strip().split("\n")), strict=True)
    ],
    np.float32,
)


def scaled_tanh(x: jax.Array) -> jax.Array:
    """1.7159 tanh(2 x / 3), which maps 1 to 1 and -1 to -1 (appendix A)."""
    return 1.7159 * jnp.tanh(x * (2 / 3))


def fan_in_uniform(fan_in: int) -> Callable[..., jax.Array]:
    """U(-2.4 / fan_in, 2.4 / fan_in), the paper's initial weights (appendix A)."""

    def init(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -2.4 / fan_in, 2.4 / fan_in)

    return init


class Subsampling(nn.Module):
    """Sums over 2 x 2 pixels, times a coefficient and plus a bias for each map, squashed.

    Attributes:
        dtype: Of the computation; parameters are float32.
    """

    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [B, H, W, C] to [B, H / 2, W / 2, C]."""
        shape = (1, 1, 1, x.shape[-1])
        coefficient = self.param("coefficient", fan_in_uniform(4), shape[-1:], jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, shape[-1:], jnp.float32)
        total = 4 * nn.avg_pool(x, window_shape=(2, 2), strides=(2, 2))
        coefficient, bias = (p.reshape(shape).astype(self.dtype) for p in (coefficient, bias))
        return scaled_tanh(total * coefficient + bias)


class PartialConv(nn.Module):
    """C3: a 5 x 5 convolution whose maps each see some maps of the input.

    Attributes:
        dtype: Of the computation; parameters are float32.
    """

    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [B, H, W, 6] to [B, H - 4, W - 4, 16]."""
        sources = np.array([i for inputs in C3_INPUTS for i in inputs])
        targets = np.array([o for o, inputs in enumerate(C3_INPUTS) for _ in inputs])
        fan_in = 25 * np.bincount(targets)[targets]

        def init(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
            bound = jnp.float32(2.4 / fan_in)[None, None]
            return bound * jax.random.uniform(key, shape, jnp.float32, -1, 1)

        weights = self.param("kernel", init, (5, 5, len(sources)))
        bias = self.param("bias", nn.initializers.zeros, (len(C3_INPUTS),), jnp.float32)
        # A dense convolution with zeros is faster than sixteen small ones.
        kernel = jnp.zeros((5, 5, 6, len(C3_INPUTS))).at[:, :, sources, targets].set(weights)
        x = conv_general_dilated(
            x,
            kernel.astype(self.dtype),
            window_strides=(1, 1),
            padding="VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return x + bias.astype(self.dtype)[None, None, None]


class LeNet(nn.Module):
    """Two convolutions without padding, C1 and C3, and their sub-sampling, S2 and S4.

    Attributes:
        original: Whether to build the network of 1998.
        dtype: Of the computation; parameters are float32.
    """

    original: bool = True
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps images [B, H, W, 1] to {2: S2 [B, H', W', 6], 4: S4 [B, H'', W'', 16]}."""
        x = images.astype(self.dtype)
        if self.original:
            init = fan_in_uniform(25 * x.shape[-1])
            x = Conv(6, (5, 5), padding=0, kernel_init=init, dtype=self.dtype, name="c1")(x)
            s2 = Subsampling(self.dtype, name="s2")(scaled_tanh(x))
            x = PartialConv(self.dtype, name="c3")(s2)
            s4 = Subsampling(self.dtype, name="s4")(scaled_tanh(x))
        else:
            x = Conv(6, (5, 5), padding=0, dtype=self.dtype, name="c1")(x)
            s2 = max_pool(nn.relu(x), window=2, stride=2)
            x = Conv(16, (5, 5), padding=0, dtype=self.dtype, name="c3")(s2)
            s4 = max_pool(nn.relu(x), window=2, stride=2)
        return {2: s2, 4: s4}


class LeNetClassifier(nn.Module):
    """LeNet-5: features of 84 units, compared with the code of each digit or weighted.

    Attributes:
        backbone: Network from images to {stride: features}.
        num_classes: K, 10 in the original.
    """

    backbone: LeNet
    num_classes: int = 10

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps images [B, 32, 32, 1] to logits [B, K] in float32.

        Raises:
            ValueError: If images are of another size, or the original has other than 10 classes.
        """
        original, dtype = self.backbone.original, self.backbone.dtype
        if images.shape[1:3] != (32, 32):
            height, width = images.shape[1:3]
            raise ValueError(f"image_size must be 32 (MNIST's padded by 2), got {height} x {width}")
        if original and self.num_classes != DIGIT_CODES.shape[0]:
            raise ValueError(f"num_classes must be 10, one a code, got {self.num_classes}")
        act = scaled_tanh if original else nn.relu
        x = self.backbone(images, train=train)[4]
        for name, features in (("c5", 120), ("f6", 84)):
            x = x.reshape(x.shape[0], -1)
            init = fan_in_uniform(x.shape[-1]) if original else nn.initializers.lecun_normal()
            # C5 is a 5 x 5 convolution in the paper, which on 5 x 5 maps is a dense layer.
            x = act(nn.Dense(features, kernel_init=init, dtype=dtype, name=name)(x))
        x = x.astype(jnp.float32)
        if not original:
            return nn.Dense(self.num_classes, name="head")(x)
        return -jnp.square(x[:, None] - jnp.asarray(DIGIT_CODES)[None]).sum(-1)


VARIANTS: dict[str, dict[str, Any]] = {
    "lenet5": dict(),
    "lenet5_modern": dict(original=False),
}


def lenet(variant: str, **overrides: Any) -> LeNet:
    """Builds a backbone from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return LeNet(**(fields_of(variant, VARIANTS) | overrides))


def lenet_classifier(variant: str, *, num_classes: int = 10, **overrides: Any) -> LeNetClassifier:
    """Builds a classifier around `lenet(variant, **overrides)`."""
    return LeNetClassifier(lenet(variant, **overrides), num_classes)
