import numpy as np
import pytest

from jaxvision.data.whitening import zca


def correlated(count=400, size=6):
    rng = np.random.default_rng(0)
    return (rng.normal(size=(count, size)) @ rng.normal(size=(size, size)) + 3).astype(np.float32)


def test_whitened_values_have_mean_0_variance_1_and_no_correlation():
    x = correlated()
    found = zca([x[:100], x[100:]], 1e-6)
    white = (x - found.mean) @ found.matrix
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(6), atol=1e-3)


def test_matrix_is_the_symmetric_root_of_the_inverse_covariance():
    x = correlated()
    matrix = zca([x], 0.5).matrix.astype(np.float64)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-5)
    inverse = np.linalg.inv(np.cov(x.T, bias=True) + 0.5 * np.eye(6))
    np.testing.assert_allclose(matrix @ matrix, inverse, rtol=1e-3, atol=1e-4)


def test_values_without_variance_stay_finite():
    x = np.full((10, 2, 3), 0.5, np.float32)
    x[:, 0, 0] = np.arange(10)
    found = zca([x], 0.1)
    assert found.matrix.shape == (6, 6)
    np.testing.assert_allclose(found.matrix[1, 1], 0.1**-0.5, rtol=1e-4)
    np.testing.assert_allclose(found.matrix[0, 0], (8.25 + 0.1) ** -0.5, rtol=1e-4)


def test_too_few_or_infinite_values_are_errors():
    with pytest.raises(ValueError, match="at least 2 images, got 1"):
        zca([np.zeros((1, 4))], 0.1)
    with pytest.raises(ValueError, match="finite values"):
        zca([np.array([[1.0, np.inf], [0, 0]])], 0.1)
