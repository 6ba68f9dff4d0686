"""Initial values of ViT in timm 1.0, big_vision and torchvision 0.28, which all differ."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
from flax import linen as nn
from jax.nn.initializers import Initializer

from jaxvision.layers.initializers import torch_uniform, uniform_bias


class InitialValues(NamedTuple):
    """How a reference implementation initialises a ViT.

    Attributes:
        patch: Kernel of the patches' embedding.
        patch_bias: Maps the inputs of a patch to the initialiser of the embedding's bias.
        position: Maps the width to the initialiser of learned embeddings of positions.
        class_token: The class token.
        qkv: Kernel of queries, keys and values [D, 3 * D].
        out: Kernel of attention's output.
        mlp: Kernels of the perceptrons.
        mlp_bias: Biases of the perceptrons.
        pre_logits: Kernel of the layer before the head.
        head: Kernel of the head.
    """

    patch: Initializer
    patch_bias: Callable[[int], Callable[..., jax.Array]]
    position: Callable[[int], Initializer]
    class_token: Initializer
    qkv: Initializer
    out: Initializer
    mlp: Initializer
    mlp_bias: Initializer
    pre_logits: Initializer
    head: Initializer


_normal = nn.initializers.normal
_zeros = nn.initializers.zeros
_xavier = nn.initializers.xavier_uniform()

WEIGHT_INITS = {
    # The truncation of both PyTorch references is at -2 and 2, not at multiples of the deviation.
    "timm": InitialValues(
        patch=torch_uniform(),
        patch_bias=uniform_bias,
        position=lambda width: _normal(0.02),
        class_token=_normal(1e-6),
        qkv=_normal(0.02),
        out=_normal(0.02),
        mlp=_normal(0.02),
        mlp_bias=_zeros,
        pre_logits=_normal(0.02),
        head=_normal(0.02),
    ),
    "big_vision": InitialValues(
        patch=nn.initializers.lecun_normal(),
        patch_bias=lambda fan_in: _zeros,
        position=lambda width: _normal(1 / math.sqrt(width)),
        class_token=_zeros,
        # Xavier's of three kernels [D, D] rather than of one [D, 3 * D].
        qkv=nn.initializers.variance_scaling(1.0, "fan_in", "uniform"),
        out=_xavier,
        mlp=_xavier,
        mlp_bias=_normal(1e-6),
        pre_logits=nn.initializers.lecun_normal(),
        head=_zeros,
    ),
    "torchvision": InitialValues(
        patch=nn.initializers.variance_scaling(1.0, "fan_in", "normal"),
        patch_bias=lambda fan_in: _zeros,
        position=lambda width: _normal(0.02),
        class_token=_zeros,
        qkv=_xavier,
        out=torch_uniform(),
        mlp=_xavier,
        mlp_bias=_normal(1e-6),
        pre_logits=nn.initializers.variance_scaling(1.0, "fan_in", "normal"),
        head=_zeros,
    ),
}
