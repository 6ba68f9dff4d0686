"""Initialisers by the names of their papers, and those that `jax.nn.initializers` lacks."""

import math
from collections.abc import Callable
from typing import Any

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
    return uniform(1 / math.sqrt(fan_in))


def uniform(bound: float) -> Callable[..., jax.Array]:
    """Any parameter from U(-bound, bound), where `jax.nn.initializers.uniform` starts at 0."""

    def init(key: jax.Array, shape: tuple[int, ...], dtype: jnp.dtype = jnp.float32) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


def orthogonal_kernels(key: jax.Array, params: Any, *, gain: float = math.sqrt(2)) -> Any:
    """Replaces every kernel of a network's parameters by an orthogonal one.

    Exact Solutions to the Nonlinear Dynamics of Learning in Deep Linear Neural Networks, Saxe et
    al. 2013, https://arxiv.org/abs/1312.6120: as a matrix of all inputs by outputs, the singular
    vectors of one drawn from N(0, 1), so that its singular values are all `gain`.

    Args:
        key: Draws the matrices.
        params: Parameters; leaves named `kernel` with two axes or more are replaced.
        gain: Of every kernel; sqrt(2) keeps the length of signals through ReLU.
    """
    leaves, tree = jax.tree_util.tree_flatten_with_path(params)
    found = []
    for number, (path, leaf) in enumerate(leaves):
        if path[-1].key == "kernel" and leaf.ndim > 1:
            shape = math.prod(leaf.shape[:-1]), leaf.shape[-1]
            drawn = jax.random.normal(jax.random.fold_in(key, number), shape)
            left, _, right = jnp.linalg.svd(drawn, full_matrices=False)
            leaf = gain * (left @ right).reshape(leaf.shape).astype(leaf.dtype)
        found.append(leaf)
    return jax.tree.unflatten(tree, found)


def prior_bias(probability: float) -> Initializer:
    """Bias initialiser whose sigmoid is `probability` (Lin et al. 2017, section 4.1).

    A detector then starts by predicting background nearly everywhere. Otherwise the loss of
    thousands of background locations dominates the first steps.

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


def bilinear_upsampling() -> Callable[..., jax.Array]:
    """Kernels [k, k, C, C] of transposed convolutions that enlarge each channel bilinearly.

    Long et al. 2015, https://arxiv.org/abs/1411.4038, section 3.3, with the filter of their code:
    exact for a stride of k / 2.
    """

    def init(key: jax.Array, shape: tuple[int, ...], dtype: jnp.dtype = jnp.float32) -> jax.Array:
        del key
        height, width, channels, features = shape
        if height != width or channels != features:
            raise ValueError(f"a bilinear kernel must be [k, k, C, C], got {list(shape)}")
        factor = (height + 1) // 2
        center = factor - 1.0 if height % 2 else factor - 0.5
        line = 1 - jnp.abs(jnp.arange(height) - center) / factor
        kernel = line[:, None] * line[None]
        return (kernel[:, :, None, None] * jnp.eye(channels)[None, None]).astype(dtype)

    return init


# Fan-in unless the name says otherwise; jax's and flax's own are truncated where they are normal.
INITIALIZERS: dict[str, Initializer] = {
    # LeCun et al. 1998, Efficient BackProp, section 4.6: variance 1 / fan_in.
    "lecun_normal": jax.nn.initializers.lecun_normal(),
    "lecun_uniform": jax.nn.initializers.lecun_uniform(),
    # Glorot and Bengio 2010, equation 16: variance 2 / (fan_in + fan_out).
    "xavier_normal": jax.nn.initializers.glorot_normal(),
    "xavier_uniform": jax.nn.initializers.glorot_uniform(),
    # He et al. 2015, https://arxiv.org/abs/1502.01852, equation 10: variance 2 / fan_in.
    "he_normal": jax.nn.initializers.he_normal(),
    "he_uniform": jax.nn.initializers.he_uniform(),
    "he_normal_fan_out": he_normal_fan_out(),
    # Saxe et al. 2013, https://arxiv.org/abs/1312.6120.
    "orthogonal": jax.nn.initializers.orthogonal(),
    # ViT and Swin: 0.02, truncated at two standard deviations.
    "truncated_normal": jax.nn.initializers.truncated_normal(0.02),
    "torch_uniform": torch_uniform(),
    "zeros": jax.nn.initializers.zeros,
    "ones": jax.nn.initializers.ones,
}


def initializer(name: str) -> Initializer:
    """Returns the initialiser of this name.

    Raises:
        ValueError: If there is no initialiser of this name.
    """
    if name not in INITIALIZERS:
        raise ValueError(f"initializer must be one of {', '.join(INITIALIZERS)}, got {name}")
    return INITIALIZERS[name]
