"""ZFNet: AlexNet with finer first layers.

Visualizing and Understanding Convolutional Networks, Zeiler and Fergus 2013,
https://arxiv.org/abs/1311.2901, figure 3 and section 4; `zfnet_wide` is the network of table 3 with
512, 1024 and 512 maps in its last convolutions.

Departs from the paper: its "weights initialized to 10^-2" are read as a standard deviation. That it
rescales filters whose root mean square exceeds 0.1 in training belongs to the optimizer and is not
done here.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.convolution import Conv
from jaxvision.layers.local_response_norm import local_response_norm
from jaxvision.layers.pooling import max_pool
from jaxvision.models.variant import fields_of


class ZFNet(nn.Module):
    """Five convolutions and three overlapping pools.

    Attributes:
        widths: Channels of the convolutions.
        dtype: Of the computation; parameters are float32.
    """

    widths: tuple[int, int, int, int, int] = (96, 256, 384, 384, 256)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps images [B, H, W, 3] to {2, 8, 16: of convolutions 1, 2 and 5, 4, 32: pooled}."""
        # Figure 3: 224 pixels, then maps of 110, 55, 26, 13, 13, 13 and 6.
        layers = ((7, 2, 1), (5, 2, 0), (3, 1, 1), (3, 1, 1), (3, 1, 1))
        x, outputs = images.astype(self.dtype), {}
        for i, (features, (kernel, stride, padding)) in enumerate(
            zip(self.widths, layers, strict=True), start=1
        ):
            x = Conv(
                features,
                (kernel, kernel),
                strides=(stride, stride),
                padding=padding,
                kernel_init=nn.initializers.normal(0.01),
                dtype=self.dtype,
                name=f"conv{i}",
            )(x)
            x = nn.relu(x)
            if i in (1, 2, 5):
                outputs[{1: 2, 2: 8, 5: 16}[i]] = x
                x = max_pool(x, window=3, stride=2, ceil_mode=i < 3)
            if i < 3:
                x = local_response_norm(x)
            if i in (1, 5):
                outputs[{1: 4, 5: 32}[i]] = x
        return {stride: outputs[stride] for stride in (2, 4, 8, 16, 32)}


class ZFNetClassifier(nn.Module):
    """ZFNet and three dense layers, for maps of the size they are initialised with.

    Attributes:
        backbone: Network from images to {stride: features}.
        num_classes: K.
        hidden: Units of each hidden layer.
        dropout: Probability of zeroing a hidden unit in training.
    """

    backbone: ZFNet
    num_classes: int = 1000
    hidden: int = 4096
    dropout: float = 0.5

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps images [B, H, W, 3], 224 x 224 in the paper, to logits [B, K] in float32."""
        x = self.backbone(images, train=train)[32]
        x = x.reshape(x.shape[0], -1)
        init = nn.initializers.normal(0.01)
        for name in ("fc6", "fc7"):
            x = nn.Dense(self.hidden, kernel_init=init, dtype=self.backbone.dtype, name=name)(x)
            drop = nn.Dropout(self.dropout, deterministic=not train, name=f"{name}_dropout")
            x = drop(nn.relu(x))
        return nn.Dense(self.num_classes, kernel_init=init, dtype=jnp.float32, name="head")(x)


VARIANTS: dict[str, dict[str, Any]] = {
    "zfnet": dict(),
    "zfnet_wide": dict(widths=(96, 256, 512, 1024, 512)),
}


def zfnet(variant: str, **overrides: Any) -> ZFNet:
    """Builds a backbone from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return ZFNet(**(fields_of(variant, VARIANTS) | overrides))


def zfnet_classifier(
    variant: str,
    *,
    num_classes: int = 1000,
    hidden: int = 4096,
    dropout: float = 0.5,
    **overrides: Any,
) -> ZFNetClassifier:
    """Builds a classifier around `zfnet(variant, **overrides)`."""
    return ZFNetClassifier(zfnet(variant, **overrides), num_classes, hidden, dropout)
