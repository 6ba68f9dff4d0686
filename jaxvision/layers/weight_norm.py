"""Weight normalisation: kernels as a direction and a length for each output.

Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868, equation 2. As in PyTorch, lengths start
at those of the initial directions; the paper's initialisation from data is not done here.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.nn.initializers import Initializer

from jaxvision.layers.convolution import conv_general_dilated


class WeightNormConv(nn.Module):
    """A k x k convolution whose kernel is scale * direction / |direction|.

    Attributes:
        features: Output channels.
        kernel_size: Side of the filter, odd.
        stride: Spatial stride.
        padding: Pixels on each side, or None for half of the filter, k // 2.
        use_bias: Whether a bias is added.
        kernel_init: Initialiser of the direction [k, k, C, features].
        bias_init: Initialiser of the bias.
        dtype: Of the computation; parameters are float32.
    """

    features: int
    kernel_size: int = 3
    stride: int = 1
    padding: int | None = None
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.lecun_normal()
    bias_init: Initializer = nn.initializers.zeros
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [B, H, W, C] to [B, ceil(H / stride), ..., features] if half padded."""
        k = self.kernel_size
        kernel = _kernel(self, self.kernel_init, (k, k, x.shape[-1], self.features))
        pad = k // 2 if self.padding is None else self.padding
        y = conv_general_dilated(
            x.astype(self.dtype),
            kernel.astype(self.dtype),
            window_strides=(self.stride, self.stride),
            padding=((pad, pad), (pad, pad)),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        if self.use_bias:
            bias = self.param("bias", self.bias_init, (self.features,), jnp.float32)
            y = y + bias.astype(self.dtype)[None, None, None]
        return y


class WeightNormDense(nn.Module):
    """A dense layer whose kernel is scale * direction / |direction|.

    Attributes:
        features: Outputs.
        use_bias: Whether a bias is added.
        kernel_init: Initialiser of the direction [C, features].
        bias_init: Initialiser of the bias.
        dtype: Of the computation; parameters are float32.
    """

    features: int
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.lecun_normal()
    bias_init: Initializer = nn.initializers.zeros
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [..., C] to [..., features]."""
        kernel = _kernel(self, self.kernel_init, (x.shape[-1], self.features))
        y = x.astype(self.dtype) @ kernel.astype(self.dtype)
        if self.use_bias:
            bias = self.param("bias", self.bias_init, (self.features,), jnp.float32)
            y = y + bias.astype(self.dtype).reshape((1,) * (y.ndim - 1) + (-1,))
        return y


def _kernel(module: nn.Module, init: Initializer, shape: tuple[int, ...]) -> jax.Array:
    """Makes the parameters `direction`, of this shape, and `scale`, one for each output."""
    direction = module.param("direction", init, shape, jnp.float32)
    length = jnp.sqrt(jnp.square(direction).sum(tuple(range(len(shape) - 1)), keepdims=True))
    scale = module.param("scale", lambda key: length.reshape(-1))
    return direction * (scale.reshape(length.shape) / length)
