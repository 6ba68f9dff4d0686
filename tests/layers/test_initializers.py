import jax
import numpy as np
import pytest

from jaxvision.layers.initializers import INITIALIZERS, initializer, prior_bias, uniform_bias

# A kernel of 3 x 3 x 40 inputs and 3 x 3 x 80 outputs.
SHAPE, FAN_IN, FAN_OUT = (3, 3, 40, 80), 360, 720
VARIANCES = {
    "lecun_normal": 1 / FAN_IN,
    "lecun_uniform": 1 / FAN_IN,
    "xavier_normal": 2 / (FAN_IN + FAN_OUT),
    "xavier_uniform": 2 / (FAN_IN + FAN_OUT),
    "he_normal": 2 / FAN_IN,
    "he_uniform": 2 / FAN_IN,
    "he_normal_fan_out": 2 / FAN_OUT,
    "torch_uniform": 1 / 3 / FAN_IN,
    # N(0, 0.02^2) cut at two deviations keeps 0.7737 of its variance.
    "truncated_normal": 0.7737 * 0.02**2,
    "orthogonal": 1 / FAN_IN,
    "zeros": 0.0,
    "ones": 0.0,
}


@pytest.mark.parametrize("name", INITIALIZERS)  # a new name without a variance fails here
def test_variance_is_the_papers(name):
    values = np.asarray(initializer(name)(jax.random.key(0), SHAPE))
    np.testing.assert_allclose(values.var(), VARIANCES[name], rtol=0.03)
    assert abs(values.mean() - (name == "ones")) < 0.01
    if name.endswith("uniform"):
        assert np.abs(values).max() <= np.sqrt(3 * VARIANCES[name])


def test_orthogonal_columns():
    values = np.asarray(initializer("orthogonal")(jax.random.key(0), SHAPE)).reshape(-1, 80)
    np.testing.assert_allclose(values.T @ values, np.eye(80), atol=1e-5)


def test_unknown_name():
    with pytest.raises(ValueError, match="initializer must be one of lecun_normal.*got kaiming"):
        initializer("kaiming")


def test_biases():
    values = np.asarray(uniform_bias(25)(jax.random.key(0), (10_000,)))
    assert np.abs(values).max() <= 0.2 and values.var() == pytest.approx(0.04 / 3, rel=0.05)
    # -log((1 - 0.01) / 0.01)
    np.testing.assert_allclose(prior_bias(0.01)(jax.random.key(0), (3,)), -4.59512, rtol=1e-5)
