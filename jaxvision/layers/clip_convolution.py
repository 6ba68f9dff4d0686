"""Convolution of clips over time, height and width, fast on CPUs.

XLA's CPU backend convolves three axes by slow general code: gradients of a 3 x 7 x 7 stem take 60
times as long as here. So on a CPU the frames that a kernel spans are joined along the channels, and
each frame of the output is a convolution of an image, with the gradients that images have.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.nn.initializers import Initializer

from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.layers.conv import Activation, Norm
from jaxvision.layers.convolution import conv_general_dilated
from jaxvision.layers.initializers import he_normal_fan_out
from jaxvision.layers.platforms import by_platform

# Of frames, rows and columns.
Triple = tuple[int, int, int]


def convolve_clips(
    x: jax.Array, kernel: jax.Array, strides: Sequence[int], padding: Sequence[int]
) -> jax.Array:
    """Convolves clips.

    Args:
        x: Features [B, T, H, W, C].
        kernel: [t, h, w, C, N].
        strides: Of frames, rows and columns.
        padding: Zeros before and after each of these axes.

    Returns:
        Features [B, T', H', W', N], where T' is (T + 2 * padding - t) / stride + 1, rounded down,
        and so on.
    """
    time, rows, columns = ((pad, pad) for pad in padding)

    def plain(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            strides,
            (time, rows, columns),
            dimension_numbers=("NDHWC", "DHWIO", "NDHWC"),
        )

    def by_frames(x: jax.Array, kernel: jax.Array) -> jax.Array:
        frames, height, width, _, features = kernel.shape
        x = jnp.pad(x, ((0, 0), time, (0, 0), (0, 0), (0, 0)))
        steps = (x.shape[1] - frames) // strides[0] + 1
        reach = (steps - 1) * strides[0] + 1
        views = [x[:, i : i + reach : strides[0]] for i in range(frames)]
        joined = jnp.concatenate(views, axis=-1)
        y = conv_general_dilated(
            joined.reshape(-1, *joined.shape[2:]),
            kernel.transpose(1, 2, 0, 3, 4).reshape(height, width, -1, features),
            strides[1:],
            (rows, columns),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return y.reshape(-1, steps, *y.shape[1:])

    return by_platform(x, kernel, cpu=by_frames, default=plain)


class ClipConv(nn.Module):
    """A t x h x w convolution.

    Attributes:
        features: Output channels.
        kernel_size: Frames, rows and columns of the filter.
        strides: Of each of them.
        padding: Zeros before and after each axis, or None for half of the filter.
        use_bias: Whether a bias is added.
        kernel_init: Initialiser of the kernel [t, h, w, C, features].
        bias_init: Initialiser of the bias.
        dtype: Of the computation; parameters are float32.
    """

    features: int
    kernel_size: Triple = (3, 3, 3)
    strides: Triple = (1, 1, 1)
    padding: Triple | None = None
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.lecun_normal()
    bias_init: Initializer = nn.initializers.zeros
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps clips [B, T, H, W, C] to [B, T', H', W', features].

        Raises:
            ValueError: If `x` has another number of axes.
        """
        if x.ndim != 5:
            raise ValueError(f"clips must be [B, T, H, W, C], got {list(x.shape)}")
        shape = (*self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        padding = self.padding or tuple(k // 2 for k in self.kernel_size)
        y = convolve_clips(x.astype(self.dtype), kernel.astype(self.dtype), self.strides, padding)
        if self.use_bias:
            bias = self.param("bias", self.bias_init, (self.features,), jnp.float32)
            y = y + bias.astype(self.dtype)[None, None, None, None]
        return y


class ClipConvNormAct(nn.Module):
    """A convolution without bias, padded by half of its filter, then norm and activation.

    Attributes:
        features: Output channels.
        kernel_size: Frames, rows and columns of the filter, odd.
        strides: Of each of them.
        act: Activation, or None for none.
        norm: Factory of the normalisation.
        dtype: Of the computation; parameters are float32.
    """

    features: int
    kernel_size: Triple = (3, 3, 3)
    strides: Triple = (1, 1, 1)
    act: Activation | None = nn.relu
    norm: Norm = BatchNorm
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps clips [B, T, H, W, C] to [B, ceil(T / stride), ceil(H / stride), ..., features]."""
        x = ClipConv(
            self.features,
            self.kernel_size,
            self.strides,
            use_bias=False,
            kernel_init=he_normal_fan_out(),
            dtype=self.dtype,
            name="conv",
        )(x)
        x = self.norm(dtype=self.dtype, name="norm")(x, train=train)
        return x if self.act is None else self.act(x)
