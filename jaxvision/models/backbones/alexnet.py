"""AlexNet: the network of 2012, and torchvision's of 2014.

`alexnet_original`: ImageNet Classification with Deep Convolutional Neural Networks, Krizhevsky et
al. 2012, https://papers.nips.cc/paper/4824, figure 2 and section 5. `alexnet`: One weird trick for
parallelizing convolutional neural networks, Krizhevsky 2014, https://arxiv.org/abs/1404.5997, in
torchvision's version: other widths, no groups and no response normalisation.

Departs from the papers: the halves of the original that lived on two GPUs are groups of one
convolution. Its figure says 224 x 224 where its numbers need 227 x 227.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.convolution import Conv
from jaxvision.layers.initializers import torch_uniform, uniform_bias
from jaxvision.layers.local_response_norm import local_response_norm
from jaxvision.layers.pooling import adaptive_avg_pool, max_pool
from jaxvision.models.variant import fields_of


class AlexNet(nn.Module):
    """Five convolutions and three overlapping pools.

    Attributes:
        widths: Channels of the convolutions.
        original: Whether to build the network of 2012: two groups in the second, fourth and fifth
            convolution, response normalisation after the first two, no padding of the image.
        dtype: Of the computation; parameters are float32.
    """

    widths: tuple[int, int, int, int, int] = (64, 192, 384, 256, 256)
    original: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps images [B, H, W, 3] to {4, 8, 16: of convolutions 1, 2 and 5, 32: pooled}."""
        x, outputs = images.astype(self.dtype), {}
        for i, (features, kernel) in enumerate(
            zip(self.widths, (11, 5, 3, 3, 3), strict=True), start=1
        ):
            groups = 2 if self.original and i in (2, 4, 5) else 1
            if i == 1:
                stride, padding = 4, 0 if self.original else 2
            else:
                stride, padding = 1, kernel // 2
            fan_in = kernel * kernel * x.shape[-1] // groups
            x = Conv(
                features,
                (kernel, kernel),
                strides=(stride, stride),
                padding=padding,
                feature_group_count=groups,
                kernel_init=_kernel_init(self.original),
                bias_init=_bias_init(self.original, i in (2, 4, 5), fan_in),
                dtype=self.dtype,
                name=f"conv{i}",
            )(x)
            x = nn.relu(x)
            if self.original and i < 3:
                x = local_response_norm(x)
            if i in (1, 2, 5):
                outputs[{1: 4, 2: 8, 5: 16}[i]] = x
                x = max_pool(x, window=3, stride=2)
        outputs[32] = x
        return outputs


class AlexNetClassifier(nn.Module):
    """AlexNet and three dense layers.

    The dense layers of the original take maps of the size they were initialised with, 6 x 6 in the
    paper; torchvision's averages maps over 6 x 6 bins first.

    Attributes:
        backbone: Network from images to {stride: features}.
        num_classes: K.
        hidden: Units of each hidden layer.
        dropout: Probability of zeroing a value in training: after the hidden layers in the
            original, before them in torchvision's.
    """

    backbone: AlexNet
    num_classes: int = 1000
    hidden: int = 4096
    dropout: float = 0.5

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps images [B, H, W, 3] to logits [B, K] in float32."""
        original, dtype = self.backbone.original, self.backbone.dtype

        def dense(x: jax.Array, features: int, name: str) -> jax.Array:
            return nn.Dense(
                features,
                kernel_init=_kernel_init(original),
                bias_init=_bias_init(original, name != "head", x.shape[-1]),
                dtype=jnp.float32 if name == "head" else dtype,
                name=name,
            )(x)

        x = self.backbone(images, train=train)[32]
        if not original:
            x = adaptive_avg_pool(x, 6, 6)
        x = x.reshape(x.shape[0], -1)
        for name in ("fc6", "fc7"):
            drop = nn.Dropout(self.dropout, deterministic=not train, name=f"{name}_dropout")
            x = dense(x if original else drop(x), self.hidden, name)
            x = drop(nn.relu(x)) if original else nn.relu(x)
        return dense(x, self.num_classes, "head")


def _kernel_init(original: bool) -> jax.nn.initializers.Initializer:
    return nn.initializers.normal(0.01) if original else torch_uniform()


def _bias_init(original: bool, ones: bool, fan_in: int) -> jax.nn.initializers.Initializer:
    if original:
        # Section 5: positive inputs to the ReLUs speed up the start.
        return nn.initializers.constant(1.0 if ones else 0.0)
    return uniform_bias(fan_in)


VARIANTS: dict[str, dict[str, Any]] = {
    "alexnet": dict(),
    "alexnet_original": dict(widths=(96, 256, 384, 384, 256), original=True),
}


def alexnet(variant: str, **overrides: Any) -> AlexNet:
    """Builds a backbone from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return AlexNet(**(fields_of(variant, VARIANTS) | overrides))


def alexnet_classifier(
    variant: str,
    *,
    num_classes: int = 1000,
    hidden: int = 4096,
    dropout: float = 0.5,
    **overrides: Any,
) -> AlexNetClassifier:
    """Builds a classifier around `alexnet(variant, **overrides)`."""
    return AlexNetClassifier(alexnet(variant, **overrides), num_classes, hidden, dropout)
