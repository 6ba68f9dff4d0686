"""Initialisers that reference implementations use and `jax.nn.initializers` has no name for."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer


def torch_uniform() -> Initializer:
    """Kernels from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), PyTorch's default for Conv2d and Linear.

    PyTorch writes it as kaiming_uniform with a = sqrt(5), which is the same distribution.
    """
    return jax.nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")


def uniform_bias(fan_in: int) -> Callable[..., jax.Array]:
    """Biases from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), PyTorch's default for Conv2d and Linear.

    Args:
        fan_in: Inputs that each output sums over: kernel height * width * channels a group.
    """
    bound = 1 / math.sqrt(fan_in)

    def init(key: jax.Array, shape: tuple[int, ...], dtype: jnp.dtype = jnp.float32) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


def prior_bias(probability: float) -> Initializer:
    """Bias initialiser whose sigmoid is `probability` (Lin et al. 2017, section 4.1).

    A detector starts by calling nearly every location background; without it the sum of that
    loss over thousands of locations swamps the first steps.

    Args:
        probability: Initial output of the sigmoid, in (0, 1).
    """
    return jax.nn.initializers.constant(-math.log((1 - probability) / probability))


def he_normal_fan_out() -> Initializer:
    """Kernels from N(0, 2 / fan_out), torchvision's for convolutions before a ReLU.

    He et al. 2015, https://arxiv.org/abs/1502.01852, equation 14: keeps the variance of gradients,
    where `jax.nn.initializers.he_normal` keeps that of activations. PyTorch's normal is not
    truncated, so this one is not either.
    """
    return jax.nn.initializers.variance_scaling(2.0, "fan_out", "normal")
