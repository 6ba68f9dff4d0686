import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.layers.swish import Swish


def test_values_and_gradients_are_those_of_the_formula():
    x, beta = np.float32([[-2, 1, 3]]), np.float32([0.5, 0, 2])
    layer = Swish(channelwise=True)

    def f(beta):
        return layer.apply({"params": {"beta": beta}}, x)

    gate = 1 / (1 + np.exp(-beta[None] * x))
    np.testing.assert_allclose(f(beta), x * gate, rtol=1e-6)
    # d/d beta of x * sigmoid(beta * x) is x^2 * gate * (1 - gate).
    slope = jax.jacobian(f)(beta)[0]
    np.testing.assert_allclose(np.diagonal(slope), (x**2 * gate * (1 - gate))[0], rtol=1e-5)


def test_one_beta_for_all_channels_starts_as_silu():
    x = jax.random.normal(jax.random.key(0), (2, 3, 4, 5))
    y, variables = Swish().init_with_output(jax.random.key(0), x)
    assert variables["params"]["beta"].shape == (1,)
    np.testing.assert_allclose(y, jax.nn.silu(x), rtol=1e-6)
    assert Swish().apply(variables, x.astype(jnp.bfloat16)).dtype == jnp.bfloat16
