"""Conv4-64, the encoder of matching and prototypical networks.

Matching Networks for One Shot Learning, Vinyals et al. 2016, https://arxiv.org/abs/1606.04080,
section 4.1; Prototypical Networks for Few-shot Learning, Snell et al. 2017,
https://arxiv.org/abs/1703.05175, section 3.1. Equal to the latter's code.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import Norm
from jaxvision.layers.convolution import Conv
from jaxvision.layers.initializers import torch_uniform, uniform_bias
from jaxvision.layers.pooling import max_pool
from jaxvision.models.variant import fields_of


class Conv4(nn.Module):
    """Four blocks of a 3 x 3 convolution, norm, ReLU and 2 x 2 pool.

    Attributes:
        widths: Channels of the blocks.
        norm: Factory of the normalisation.
        dtype: Of the computation; parameters and statistics are float32.
    """

    widths: tuple[int, ...] = (64, 64, 64, 64)
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps images [B, H, W, C] to embeddings [B, H / 16 * W / 16 * 64] in float32.

        Raises:
            ValueError: If the pools leave nothing of the images.
        """
        x = images.astype(self.dtype)
        if min(x.shape[1:3]) < (smallest := 2 ** len(self.widths)):
            raise ValueError(f"images must be at least {smallest} pixels, got {x.shape[1:3]}")
        for i, width in enumerate(self.widths, start=1):
            x = Conv(
                width,
                (3, 3),
                padding=1,
                kernel_init=torch_uniform(),
                bias_init=uniform_bias(9 * x.shape[-1]),
                dtype=self.dtype,
                name=f"block{i}_conv",
            )(x)
            x = nn.relu(self.norm(dtype=self.dtype, name=f"block{i}_norm")(x, train=train))
            x = max_pool(x, window=2, stride=2)
        return x.reshape(x.shape[0], -1).astype(jnp.float32)


VARIANTS: dict[str, dict[str, Any]] = {"conv4": dict()}


def conv4(variant: str, **overrides: Any) -> Conv4:
    """Builds an encoder from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return Conv4(**(fields_of(variant, VARIANTS) | overrides))
