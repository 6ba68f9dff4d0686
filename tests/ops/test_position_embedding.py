import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.ops.position_embedding import resize_position_embedding, sincos_position_embedding

# [0, 1, 4, 9, 16, 25] as 3 rows of 2, by PyTorch's interpolate(mode="bicubic", antialias=True).
COARSER = [[0.91814, 3.1573], [11.96148, 19.72231]]
FINER = [
    [-0.34782, 0.04717, 0.44216],
    [0.71936, 1.97761, 3.23586],
    [3.67105, 6.5, 9.32895],
    [11.45856, 15.85821, 20.25786],
    [16.2937, 21.5566, 26.81951],
]


def squares(before=0):
    """Embedding of a 3 x 2 grid and, before it, of other tokens."""
    values = np.concatenate([np.full(before, 7.0), np.arange(6.0) ** 2])
    return jnp.asarray(values[None, :, None].repeat(2, axis=2), jnp.float32)


@pytest.mark.parametrize(("grid", "expected"), [((2, 2), COARSER), ((5, 3), FINER)])
@pytest.mark.parametrize("before", [0, 1])
def test_another_grid_is_interpolated_as_by_the_reference(grid, expected, before):
    resized = resize_position_embedding(squares(before), (3, 2), grid)
    assert (resized[:, :before] == 7).all()
    for channel in range(2):
        ours = resized[0, before:, channel].reshape(grid)
        np.testing.assert_allclose(ours, expected, atol=2e-5)


def test_cubic_weights_of_twice_the_grid_by_hand():
    # Between pixels at distances 0.25 and 0.75, (a + 2) d^3 - (a + 3) d^2 + 1 with a = -0.5, and
    # at 1.25 and 1.75, a d^3 - 5 a d^2 + 8 a d - 4 a; what reaches over the edge is left out.
    near, far, beyond, further = 0.8671875, 0.2265625, -0.0703125, -0.0234375
    row = resize_position_embedding(jnp.eye(4)[None], (1, 4), (1, 8))[0]
    np.testing.assert_allclose(row[3], [beyond, near, far, further], atol=1e-6)
    edge = np.array([near, beyond, 0, 0]) / (near + beyond)
    np.testing.assert_allclose(row[0], edge, atol=1e-6)


def test_the_same_grid_is_the_same_array():
    embedding = squares(1)
    assert resize_position_embedding(embedding, (3, 2), (3, 2)) is embedding


def test_embedding_that_is_smaller_than_its_grid_is_an_error():
    with pytest.raises(ValueError, match="at least 9 positions of a grid of 3 x 3, got 6"):
        resize_position_embedding(squares(), (3, 3), (4, 4))


def test_waves_of_a_position_by_hand():
    table = sincos_position_embedding(2, 3, 12)
    assert table.shape == (1, 6, 12)
    assert table.dtype == np.float32
    # Row 1, column 2; w is 1, 1 / 100 and 1 / 10000.
    x, y = 2 * np.array([1, 0.01, 0.0001]), np.array([1, 0.01, 0.0001])
    expected = np.concatenate([np.sin(x), np.cos(x), np.sin(y), np.cos(y)])
    np.testing.assert_allclose(table[0, 5], expected, rtol=1e-6)
    np.testing.assert_allclose(table[0, 0], np.repeat([0, 1, 0, 1], 3))


@pytest.mark.parametrize("features", [4, 10])
def test_width_without_room_for_the_waves_is_an_error(features):
    with pytest.raises(ValueError, match=f"multiple of 4 and at least 8, got {features}"):
        sincos_position_embedding(2, 2, features)
