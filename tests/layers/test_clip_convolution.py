"""The form of a convolution of clips for CPUs."""

import jax
import numpy as np
import pytest

from jaxvision.layers.clip_convolution import ClipConv, convolve_clips
from jaxvision.layers.platforms import plain_forms


@pytest.mark.parametrize(
    ("kernel", "strides", "padding"),
    [((3, 3, 3), (2, 1, 2), (1, 1, 0)), ((2, 1, 3), (1, 2, 1), (0, 0, 1))],
)
def test_convolution_and_gradients_are_those_of_three_axes(kernel, strides, padding):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 5, 6, 7, 3)).astype(np.float32)
    k = rng.standard_normal((*kernel, 3, 4)).astype(np.float32)

    def results(x, k):
        def objective(x, k):
            y = convolve_clips(x, k, strides, padding)
            return (y * y).sum(), y

        grads, y = jax.jit(jax.grad(objective, (0, 1), has_aux=True))(x, k)
        return *grads, y

    ours = jax.jit(results)(x, k)
    with plain_forms():
        theirs = jax.jit(results)(x, k)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(b).max())


def test_images_are_no_clips():
    with pytest.raises(ValueError, match=r"clips must be \[B, T, H, W, C\], got \[1, 8, 8, 3\]"):
        jax.eval_shape(lambda: ClipConv(4).init(jax.random.key(0), np.zeros((1, 8, 8, 3))))
