"""Ghost modules: half of the channels come from cheap filters of the other half.

GhostNet, Han et al. 2019, https://arxiv.org/abs/1911.11907, section 3.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import Activation, ConvNormAct, Norm
from jaxvision.layers.depthwise import DepthwiseConv


class _Cheap(nn.Module):
    """A depthwise convolution, norm and activation."""

    kernel_size: int
    act: Activation | None
    norm: Norm
    kernel_init: jax.nn.initializers.Initializer
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, H, W, C]."""
        x = DepthwiseConv(self.kernel_size, 1, self.kernel_init, self.dtype, name="depthwise")(x)
        x = self.norm(dtype=self.dtype, name="norm")(x, train=train)
        return x if self.act is None else self.act(x)


class GhostModule(nn.Module):
    """A 1 x 1 convolution to half of the channels, and a 3 x 3 filter of each (figure 1b).

    Attributes:
        features: Output channels; of an odd number the filtered half is one less.
        act: Activation of both halves, or None for none.
        norm: Factory of the normalisation.
        kernel_init: Initialiser of the kernels.
        dtype: Of the computation; parameters are float32.
    """

    features: int
    act: Activation | None = nn.relu
    norm: Norm = BatchNorm
    kernel_init: jax.nn.initializers.Initializer = nn.initializers.lecun_normal()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, H, W, features]."""
        options: dict[str, Any] = dict(
            act=self.act, norm=self.norm, kernel_init=self.kernel_init, dtype=self.dtype
        )
        own = ConvNormAct(-(-self.features // 2), 1, name="primary", **options)(x, train=train)
        ghosts = _Cheap(3, name="cheap", **options)(own, train=train)
        return jnp.concatenate([own, ghosts], axis=-1)[..., : self.features]


class GhostBottleneck(nn.Module):
    """Two Ghost modules and a shortcut, at stride 1 (figure 3, left).

    Where the channels change, the shortcut is a depthwise and a 1 x 1 convolution, as in the
    authors' code.

    Attributes:
        features: Output channels.
        width: Channels between the modules.
        kernel_size: Side of the shortcut's depthwise filter, odd.
        act: Activation of the first module.
        norm: Factory of the normalisation.
        kernel_init: Initialiser of the kernels.
        dtype: Of the computation; parameters are float32.
    """

    features: int
    width: int
    kernel_size: int = 3
    act: Activation | None = nn.relu
    norm: Norm = BatchNorm
    kernel_init: jax.nn.initializers.Initializer = nn.initializers.lecun_normal()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, H, W, features]."""
        options: dict[str, Any] = dict(
            norm=self.norm, kernel_init=self.kernel_init, dtype=self.dtype
        )
        y = GhostModule(self.width, act=self.act, name="expand", **options)(x, train=train)
        y = GhostModule(self.features, act=None, name="reduce", **options)(y, train=train)
        if x.shape[-1] != self.features:
            x = _Cheap(self.kernel_size, act=None, name="shortcut_spatial", **options)(
                x, train=train
            )
            x = ConvNormAct(self.features, 1, act=None, name="shortcut", **options)(x, train=train)
        return x + y
