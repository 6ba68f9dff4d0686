import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.layers.silu import silu


def test_value_and_derivatives_equal_those_of_jax_also_far_out():
    x = jnp.concatenate([jnp.linspace(-20, 20, 401), jnp.array([-1e4, -90.0, 90.0, 1e4])])

    def derivatives(f):
        first = jax.grad(lambda x: f(x).sum())
        second = jax.grad(lambda x: first(x).sum())
        return jax.jit(lambda x: (f(x), first(x), second(x), jax.jvp(f, (x,), (2 * x,))[1]))

    found, expected = derivatives(silu)(x), derivatives(jax.nn.silu)(x)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=4e-6)


def test_nothing_but_the_input_is_kept_for_the_way_back():
    x = jnp.ones((3, 5))
    kept = jax.tree.leaves(jax.vjp(silu, x)[1])
    assert sum(leaf.size for leaf in kept) == x.size
