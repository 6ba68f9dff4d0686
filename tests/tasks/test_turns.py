import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.tasks.turns import by_turn


def first(params):
    return (params["a"] ** 2).sum(), {"seen": params["b"] * 2}


def second(params):
    return 3.0 * params["b"].sum(), {"seen": params["b"] * 0}


@pytest.mark.parametrize("turn", [True, False])
def test_value_and_gradient_are_those_of_a_condition(turn):
    params = {"a": jnp.array([1.0, 2.0]), "b": jnp.array([3.0])}

    def by_condition(params):
        return jax.lax.cond(turn, first, second, params)

    @jax.jit
    def by_loops(turn, params):
        def doubled(params):
            value, others = by_turn(turn, first, second, params)
            return 2.0 * value, others

        return jax.value_and_grad(doubled, has_aux=True)(params)

    (value, others), grads = by_loops(jnp.asarray(turn), params)
    (expected, seen), half = jax.jit(jax.value_and_grad(by_condition, has_aux=True))(params)
    assert value == 2 * expected and by_turn(turn, first, second, params)[0] == expected
    np.testing.assert_array_equal(others["seen"], seen["seen"])
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, 2 * y), grads, half)


def test_the_other_loss_has_no_part_in_the_gradient_whatever_it_is():
    def infinite(params):
        return jnp.log(params["a"] * 0).sum(), {"seen": params["b"]}

    params = {"a": jnp.ones(2), "b": jnp.ones(1)}
    found = jax.jit(jax.grad(lambda p: by_turn(jnp.asarray(False), infinite, second, p)[0]))(params)
    np.testing.assert_array_equal(found["a"], 0)
    np.testing.assert_array_equal(found["b"], 3)
