import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.losses.label_smoothing import smoothed_cross_entropy


def test_hand_value():
    logits = jnp.log(jnp.array([[0.5, 0.25, 0.25]]))
    loss = smoothed_cross_entropy(logits, jnp.array([1]), label_smoothing=0.3)
    np.testing.assert_allclose(loss.negative_log_likelihood, np.log(4.0), rtol=1e-6)
    # 0.7 + 0.3 / 3 for the right class, 0.1 for each other.
    np.testing.assert_allclose(loss.smoothed, 0.9 * np.log(4.0) + 0.1 * np.log(2.0), rtol=1e-6)


def test_without_smoothing_it_is_the_likelihood():
    logits = jax.random.normal(jax.random.key(0), (2, 3, 7))
    loss = smoothed_cross_entropy(logits, jnp.arange(6).reshape(2, 3), label_smoothing=0.0)
    np.testing.assert_array_equal(loss.smoothed, loss.negative_log_likelihood)


def test_correct_where_no_other_is_likelier():
    logits = jnp.array([[0.5, 2.0, 1.0], [0.5, 2.0, 1.0], [3.0, 3.0, 1.0]])
    loss = smoothed_cross_entropy(logits, jnp.array([1, 2, 1]), label_smoothing=0.1)
    np.testing.assert_array_equal(loss.correct, [True, False, True])


@pytest.mark.parametrize("label", [0, 1])
def test_gradient_is_finite_at_extremes(label):
    def total(logits):
        return smoothed_cross_entropy(logits, jnp.array([label]), label_smoothing=0.1).smoothed[0]

    value, gradient = jax.jit(jax.value_and_grad(total))(jnp.array([[1e4, -1e4]]))
    assert np.isfinite(value) and np.isfinite(gradient).all()
