import jax
import numpy as np
import pytest

from jaxvision.layers import depthwise


@pytest.mark.parametrize(
    ("height", "width", "stride", "k"),
    [(8, 6, 1, 3), (7, 9, 2, 3), (8, 8, 2, 3), (9, 7, 1, 5), (10, 11, 2, 5), (1, 2, 2, 3)],
)
def test_both_forms_and_their_gradients_equal_a_grouped_convolution(height, width, stride, k):
    x = jax.random.normal(jax.random.key(0), (2, height, width, 6))
    kernel = jax.random.normal(jax.random.key(1), (k, k, 1, 6))

    def grouped(x, kernel):
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            (stride, stride),
            ((k // 2, k // 2), (k // 2, k // 2)),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=6,
        )

    expected, expected_grad = jax.vjp(grouped, x, kernel)
    cotangent = jax.random.normal(jax.random.key(2), expected.shape)
    for form in (depthwise.depthwise_conv, depthwise._shifted_sum, depthwise._grouped_conv):
        y, grad = jax.vjp(lambda x, kernel, form=form: form(x, kernel, stride), x, kernel)
        np.testing.assert_allclose(y, expected, atol=1e-4)
        for ours, theirs in zip(grad(cotangent), expected_grad(cotangent), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=2e-4)
