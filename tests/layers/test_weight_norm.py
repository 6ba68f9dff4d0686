import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import apply, init
from flax import linen as nn

from jaxvision.layers.weight_norm import WeightNormConv, WeightNormDense

RNG = np.random.default_rng(0)
X = RNG.standard_normal((2, 5, 6, 3), np.float32)


def normalised(direction, scale):
    """Rows of the kernel as vectors, one at a time."""
    kernel = np.empty_like(direction)
    for i in range(direction.shape[-1]):
        v = direction[..., i]
        kernel[..., i] = scale[i] * v / np.sqrt((v.astype(np.float64) ** 2).sum())
    return kernel


@pytest.mark.parametrize("stride", [1, 2])
def test_convolution_has_kernels_of_the_given_lengths(stride):
    direction = RNG.standard_normal((3, 3, 3, 4), np.float32) * 7
    scale, bias = np.float32([0.5, 1, 2, -3]), np.float32([1, 2, 3, 4])
    params = {"direction": direction, "scale": scale, "bias": bias}
    y = WeightNormConv(4, 3, stride).apply({"params": params}, X)
    conv = nn.Conv(4, (3, 3), strides=stride, padding=1)
    expected = apply(conv, {"params": {"kernel": normalised(direction, scale), "bias": bias}}, X)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


def test_dense_layer_has_kernels_of_the_given_lengths():
    direction = RNG.standard_normal((3, 4), np.float32) * 7
    scale = np.float32([0.5, 1, 2, -3])
    layer = WeightNormDense(4, use_bias=False)
    y = apply(layer, {"params": {"direction": direction, "scale": scale}}, X)
    np.testing.assert_allclose(y, X @ normalised(direction, scale), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layer", [WeightNormConv(4), WeightNormDense(4)])
def test_lengths_start_at_those_of_the_initial_directions(layer):
    params = init(layer, jax.random.key(0), X)["params"]
    lengths = np.linalg.norm(params["direction"].reshape(-1, 4), axis=0)
    np.testing.assert_allclose(params["scale"], lengths, rtol=1e-5)
    assert params["bias"].shape == (4,)


def test_gradient_of_the_direction_is_orthogonal_to_it():
    # Equation 4 of the paper: only the scale moves the length.
    layer = WeightNormDense(4, use_bias=False)
    params = init(layer, jax.random.key(0), X)["params"]
    grad = jax.jit(jax.grad(lambda p: jnp.square(layer.apply({"params": p}, X)).sum()))(params)
    along = (grad["direction"] * params["direction"]).sum(0)
    np.testing.assert_allclose(along, np.zeros(4), atol=1e-3)
