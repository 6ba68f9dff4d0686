import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import apply
from jax import test_util

from jaxvision.layers import conv_transpose as conv_transpose_module
from jaxvision.layers.conv_transpose import ConvTranspose, conv_transpose
from jaxvision.pretrained.layout import TRANSPOSED_CONV


def brute_force(x, weight, bias, stride, padding, output_padding):
    """PyTorch's definition, in its layout: x [B, C, H, W], weight [C, D, k, k]."""
    batch, _, height, width = x.shape
    _, features, k, _ = weight.shape
    sides = [(side - 1) * stride + k + output_padding for side in (height, width)]
    y = np.zeros((batch, features, *sides))
    for i in range(height):
        for j in range(width):
            window = np.einsum("bc,cdkl->bdkl", x[:, :, i, j], weight)
            y[:, :, i * stride : i * stride + k, j * stride : j * stride + k] += window
    end = [side - padding for side in sides]
    return y[:, :, padding : end[0], padding : end[1]] + bias[None, :, None, None]


@pytest.mark.parametrize(
    ("k", "stride", "padding", "output_padding"),
    [
        (4, 2, 1, 0),
        (3, 2, 1, 1),
        (2, 2, 0, 0),
        (3, 1, 1, 0),
        (4, 1, 0, 0),
        (5, 3, 1, 2),
        (1, 2, 0, 1),
    ],
)
def test_output_equals_the_definition(k, stride, padding, output_padding):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 4, 5), np.float32)
    weight = rng.standard_normal((3, 6, k, k), np.float32)
    bias = rng.standard_normal(6, np.float32)
    expected = brute_force(x, weight, bias, stride, padding, output_padding)
    layer = ConvTranspose(6, k, stride, padding, output_padding)
    params = {"kernel": TRANSPOSED_CONV.load(weight), "bias": bias}
    y = apply(layer, {"params": params}, x.transpose(0, 2, 3, 1))
    np.testing.assert_allclose(y.transpose(0, 3, 1, 2), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(TRANSPOSED_CONV.export(params["kernel"]), weight)


@pytest.mark.parametrize(
    ("k", "stride", "padding", "output_padding"), [(4, 2, 1, 0), (3, 2, 1, 1), (5, 3, 2, 2)]
)
def test_gradients_equal_those_that_jax_derives(k, stride, padding, output_padding):
    x = jax.random.normal(jax.random.key(0), (2, 4, 5, 3))
    kernel = jax.random.normal(jax.random.key(1), (k, k, 3, 6))
    sizes = (stride, padding, output_padding)
    y, pull = jax.vjp(lambda x, kernel: conv_transpose(x, kernel, *sizes), x, kernel)
    # The function beneath the custom gradient.
    expected, derive = jax.vjp(
        lambda x, kernel: conv_transpose_module._transposed.fun(x, kernel, *sizes), x, kernel
    )
    np.testing.assert_array_equal(y, expected)
    cotangent = jax.random.normal(jax.random.key(2), y.shape)
    for ours, theirs in zip(pull(cotangent), derive(cotangent), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_gradients_have_gradients():
    x = jax.random.normal(jax.random.key(0), (1, 2, 2, 2))
    kernel = jax.random.normal(jax.random.key(1), (4, 4, 2, 2))

    def penalty(x):
        slope = jax.jit(jax.grad(lambda x: jnp.tanh(conv_transpose(x, kernel, 2, 1, 0)).sum()))(x)
        return jnp.square(slope).sum()

    test_util.check_grads(penalty, (x,), order=1, modes=["rev"], rtol=0.05)


def test_it_computes_in_the_dtype_and_keeps_float32_parameters():
    layer = ConvTranspose(4, 2, 2, use_bias=False, dtype=jnp.bfloat16)
    y, variables = layer.init_with_output(jax.random.key(0), jnp.ones((1, 3, 3, 2)))
    assert (y.dtype, y.shape) == (jnp.bfloat16, (1, 6, 6, 4))
    assert jax.tree.map(lambda v: (v.dtype, v.shape), variables["params"]) == {
        "kernel": (jnp.float32, (2, 2, 2, 4))
    }


def test_impossible_sizes_are_an_error():
    x = jnp.ones((1, 1, 1, 2))
    with pytest.raises(ValueError, match="less than the stride of 2, got 2"):
        ConvTranspose(4, 3, 2, output_padding=2).init(jax.random.key(0), x)
    with pytest.raises(ValueError, match="padding of 2 leaves nothing"):
        ConvTranspose(4, 3, 2, padding=2).init(jax.random.key(0), x)
