import functools

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

    @jax.jit
    def run(x, kernel):
        forms = (depthwise.depthwise_conv, depthwise._shifted_sum, depthwise._grouped_conv)
        functions = [grouped, *(functools.partial(form, stride=stride) for form in forms)]
        found = [jax.vjp(function, x, kernel) for function in functions]
        cotangent = jax.random.normal(jax.random.key(2), found[0][0].shape)
        return [(y, *back(cotangent)) for y, back in found]

    (expected, *expected_grads), *ours = run(x, kernel)
    for y, *grads in ours:
        np.testing.assert_allclose(y, expected, atol=1e-4)
        for grad, theirs in zip(grads, expected_grads, strict=True):
            np.testing.assert_allclose(grad, theirs, atol=2e-4)
