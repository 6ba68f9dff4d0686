import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.ops.resize import space_to_depth, upsample_nearest


def test_upsampling_repeats_pixels():
    x = jnp.arange(4.0).reshape(1, 2, 2, 1)
    expected = [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]
    np.testing.assert_array_equal(upsample_nearest(x)[0, :, :, 0], expected)


def test_focus_order_is_top_left_bottom_left_top_right_bottom_right():
    x = jnp.arange(2 * 2 * 3.0).reshape(1, 2, 2, 3)
    tl, tr, bl, br = x[0, 0, 0], x[0, 0, 1], x[0, 1, 0], x[0, 1, 1]
    np.testing.assert_array_equal(space_to_depth(x)[0, 0, 0], jnp.concatenate([tl, bl, tr, br]))


def test_odd_sides_are_an_error():
    with pytest.raises(ValueError, match="must be even, got 3 and 4"):
        space_to_depth(jnp.zeros((1, 3, 4, 3)))
