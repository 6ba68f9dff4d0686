import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.layers.depthwise import depthwise_conv
from jaxvision.layers.max_pooling import max_over_windows
from jaxvision.layers.platforms import by_platform, plain_forms


def two_forms(x):
    return by_platform(x, cpu=lambda x: x + 1, default=lambda x: x + 2)


def test_plain_forms_are_traced_in_their_context_alone():
    compiled = jax.jit(two_forms)
    x = jnp.zeros(2)
    np.testing.assert_array_equal(compiled(x), [1, 1] if jax.default_backend() == "cpu" else [2, 2])
    with plain_forms():
        # Not what was compiled before.
        np.testing.assert_array_equal(compiled(x), [2, 2])
        np.testing.assert_array_equal(two_forms(x), [2, 2])
    assert "platform_index" in str(jax.make_jaxpr(two_forms)(x))


def test_every_layer_with_two_forms_has_a_plain_one():
    x = jnp.zeros((1, 8, 8, 4))
    layers = {
        "depthwise": lambda x: depthwise_conv(x, jnp.zeros((3, 3, 1, 4)), 1),
        "max_pooling": lambda x: max_over_windows(x, (3, 3), (1, 1), ((1, 1), (1, 1))),
    }
    for name, layer in layers.items():
        with plain_forms():
            assert "platform_index" not in str(jax.make_jaxpr(lambda x, f=layer: f(x))(x)), name
        assert "platform_index" in str(jax.make_jaxpr(layer)(x)), name
