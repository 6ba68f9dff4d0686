import math

import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.layers.activations import ACTIVATIONS, activation, maxout

# At -2 and 1, from the formulas of the papers.
AT = {
    "sigmoid": (1 / (1 + math.e**2), 1 / (1 + math.e**-1)),
    "tanh": (math.tanh(-2), math.tanh(1)),
    "relu": (0, 1),
    "relu6": (0, 1),
    "leaky_relu": (-0.02, 1),
    "elu": (math.exp(-2) - 1, 1),
    "selu": (1.0507009873 * 1.6732632424 * (math.exp(-2) - 1), 1.0507009873),
    "silu": (-2 / (1 + math.e**2), 1 / (1 + math.e**-1)),
    "swish": (-2 / (1 + math.e**2), 1 / (1 + math.e**-1)),
    "hard_sigmoid": (1 / 6, 4 / 6),
    "hard_swish": (-2 / 6, 4 / 6),
    "mish": (-2 * math.tanh(math.log1p(math.exp(-2))), math.tanh(math.log1p(math.e))),
    "gelu": (-(1 + math.erf(-(2**0.5))), (1 + math.erf(0.5**0.5)) / 2),
    "gelu_tanh": (
        -(1 + math.tanh((2 / math.pi) ** 0.5 * (-2 + 0.044715 * -8))),
        (1 + math.tanh((2 / math.pi) ** 0.5 * 1.044715)) / 2,
    ),
    "softplus": (math.log1p(math.exp(-2)), math.log1p(math.e)),
    "softmax": (1 / (1 + math.exp(3)), 1 / (1 + math.exp(-3))),
    "maxout": (1, 1),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values_are_those_of_the_formula(name):
    y = activation(name)(jnp.float32([-2, 1]))
    np.testing.assert_allclose(y, AT[name] if name != "maxout" else [1], rtol=1e-5, atol=1e-6)


def test_maxout_takes_the_larger_of_neighbours():
    x = jnp.float32([[1, 2, 5, 3, -1, -4]])
    np.testing.assert_array_equal(maxout(x), [[2, 5, -1]])
    np.testing.assert_array_equal(maxout(x, 3), [[5, 3]])
    with pytest.raises(ValueError, match="multiple of 4, got 6"):
        maxout(x, 4)


def test_unknown_name_is_an_error_that_lists_the_known():
    with pytest.raises(ValueError, match="one of sigmoid, .*mish.*, got rulu"):
        activation("rulu")
