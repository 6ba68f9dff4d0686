"""Squeeze-and-excitation: channels weighted by their means over the map.

Hu et al. 2017, https://arxiv.org/abs/1709.01507, figure 2 and equations 2 to 4.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.convolution import Conv


class SqueezeExcitation(nn.Module):
    """Scales channels by gates in [0, 1] computed from their spatial means.

    Attributes:
        squeeze: Channels of the hidden layer, C / 16 in the paper.
        act: Activation of the hidden layer.
        gate: Activation of the gates.
        kernel_init: Initialiser of both kernels.
        dtype: Of the computation; parameters are float32.
    """

    squeeze: int
    act: Callable[[jax.Array], jax.Array] = nn.relu
    gate: Callable[[jax.Array], jax.Array] = nn.sigmoid
    kernel_init: jax.nn.initializers.Initializer = nn.initializers.lecun_normal()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [B, H, W, C] to [B, H, W, C]."""

        def conv(features: int, name: str) -> Conv:
            # 1 x 1 convolutions of a 1 x 1 map: dense layers in the shape of the references'.
            return Conv(features, (1, 1), kernel_init=self.kernel_init, dtype=self.dtype, name=name)

        y = x.mean((1, 2), keepdims=True)
        y = self.act(conv(self.squeeze, "reduce")(y))
        return x * self.gate(conv(x.shape[-1], "expand")(y))
