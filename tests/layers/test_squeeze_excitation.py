import jax
import numpy as np

from jaxvision.layers.squeeze_excitation import SqueezeExcitation


def test_channels_are_scaled_by_gates_of_their_means():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 4, 6)).astype(np.float32) + 0.5
    layer = SqueezeExcitation(2)
    shapes = jax.eval_shape(lambda: layer.init(jax.random.key(0), x))
    variables = jax.tree.map(lambda p: rng.standard_normal(p.shape).astype(np.float32), shapes)
    y = jax.jit(layer.apply)(variables, x)
    reduce, expand = (variables["params"][name] for name in ("reduce", "expand"))
    hidden = np.maximum(x.mean((1, 2)) @ reduce["kernel"][0, 0] + reduce["bias"], 0)
    gates = 1 / (1 + np.exp(-(hidden @ expand["kernel"][0, 0] + expand["bias"])))
    np.testing.assert_allclose(y, x * gates[:, None, None], rtol=1e-5)
