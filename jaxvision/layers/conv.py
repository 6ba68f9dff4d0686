"""Convolution, normalisation, activation: the unit that convolutional networks repeat."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.convolution import Conv
from jaxvision.layers.depthwise import DepthwiseConv

Activation = Callable[[jax.Array], jax.Array]
# Called with (dtype=..., name=...), and with scale_init=... where a branch starts at zero; gives a
# module that is called with (x, train=...): BatchNorm, FrozenBatchNorm, GroupNorm, InstanceNorm.
Norm = Callable[..., nn.Module]


class ConvNormAct(nn.Module):
    """A k x k convolution without bias, then norm and activation.

    Attributes:
        features: Output channels.
        kernel_size: Side of the filter, odd, or its height and width.
        stride: Spatial stride.
        groups: Groups of the convolution.
        act: Activation, or None for none.
        norm: Factory of the normalisation.
        kernel_init: Initialiser of the kernel.
        dtype: Of the computation; parameters are float32.
        padding: Pixels on each side, or None for half of the dilated filter, dilation * (k // 2).
        dilation: Distance of the filter's taps in pixels.
    """

    features: int
    kernel_size: int | tuple[int, int] = 3
    stride: int = 1
    groups: int = 1
    act: Activation | None = nn.relu
    norm: Norm = BatchNorm
    kernel_init: jax.nn.initializers.Initializer = nn.initializers.lecun_normal()
    dtype: jnp.dtype = jnp.float32
    padding: int | None = None
    dilation: int = 1

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, ceil(H / stride), ceil(W / stride), features] if half padded."""
        size = self.kernel_size
        kernel = (size, size) if isinstance(size, int) else size
        # SAME would pad a stride of 2 on the far side only.
        pads = [self.dilation * (k // 2) if self.padding is None else self.padding for k in kernel]
        x = Conv(
            self.features,
            kernel,
            strides=(self.stride, self.stride),
            padding=[(pad, pad) for pad in pads],
            kernel_dilation=(self.dilation, self.dilation),
            feature_group_count=self.groups,
            use_bias=False,
            kernel_init=self.kernel_init,
            dtype=self.dtype,
            name="conv",
        )(x)
        x = self.norm(dtype=self.dtype, name="norm")(x, train=train)
        return x if self.act is None else self.act(x)


class DepthwiseSeparable(nn.Module):
    """A depthwise k x k and a dense 1 x 1 convolution, each with norm and activation.

    Attributes: those of `ConvNormAct`, without groups.
    """

    features: int
    kernel_size: int = 3
    stride: int = 1
    act: Activation | None = nn.relu
    norm: Norm = BatchNorm
    kernel_init: jax.nn.initializers.Initializer = nn.initializers.lecun_normal()
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, C] to [B, ceil(H / stride), ceil(W / stride), features]."""
        x = DepthwiseConv(
            self.kernel_size, self.stride, self.kernel_init, self.dtype, name="depthwise"
        )(x)
        x = self.norm(dtype=self.dtype, name="depthwise_norm")(x, train=train)
        x = x if self.act is None else self.act(x)
        return ConvNormAct(
            self.features,
            kernel_size=1,
            act=self.act,
            norm=self.norm,
            kernel_init=self.kernel_init,
            dtype=self.dtype,
            name="pointwise",
        )(x, train=train)
