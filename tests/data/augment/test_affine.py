import numpy as np
import pytest

from jaxvision.data import boxes as boxes_of
from jaxvision.data.augment.affine import RandomAffine

RNG = np.random.default_rng
BOX = np.array([[10, 20, 30, 60]], np.float32)


def transform_boxes(boxes, matrix, size):
    return boxes_of.clip(boxes_of.hull(boxes, matrix), size)


def test_without_ranges_the_top_left_of_the_canvas_is_taken():
    matrix, scale = RandomAffine(0, 0, (1, 1), 0).draw((64, 96), RNG(0))
    np.testing.assert_allclose(matrix, [[1, 0, 0], [0, 1, 0]])
    assert scale == 1


def test_scaling_is_about_the_canvas_corner():
    matrix, _ = RandomAffine(0, 0, (0.5, 0.5), 0).draw((64, 96), RNG(0))
    np.testing.assert_allclose(transform_boxes(BOX, matrix, (64, 96)), [[5, 10, 15, 30]])


def test_centered_puts_the_middle_of_the_canvas_in_the_middle():
    for seed in range(5):
        affine = RandomAffine(translate=0, centered=True)
        matrix, _ = affine.draw((64, 96), RNG(seed))
        np.testing.assert_allclose(matrix @ (96, 64, 1), (48, 32))


def test_a_quarter_turn_takes_the_hull_of_the_corners():
    # OpenCV turns against the clock, seen with y down: (x, y) goes to (y, -x).
    matrix = np.array([[0, 1, 0], [-1, 0, 50]], float)
    np.testing.assert_allclose(transform_boxes(BOX, matrix, (64, 64)), [[20, 20, 60, 40]])


def test_a_shear_widens_the_hull():
    # y is pushed by half of x: corners' y from 20 + 5 to 60 + 15.
    matrix = np.array([[1, 0, 0], [0.5, 1, 0]])
    np.testing.assert_allclose(transform_boxes(BOX, matrix, (99, 99)), [[10, 25, 30, 75]])


def test_boxes_are_clipped_and_what_is_outside_has_no_extent():
    matrix = np.array([[1, 0, -20], [0, 1, 0]], float)
    boxes = np.array([[10, 20, 30, 60], [0, 0, 20, 9]], np.float32)
    result = transform_boxes(boxes, matrix, (50, 50))
    np.testing.assert_allclose(result, [[0, 20, 10, 50], [0, 0, 0, 9]])
    assert result.dtype == np.float32


def test_no_objects():
    assert transform_boxes(np.zeros((0, 4), np.float32), np.eye(2, 3), (9, 9)).shape == (0, 4)
    affine = RandomAffine(filter_boxes=True)
    assert affine.kept(np.zeros((0, 4)), np.zeros((0, 4)), 1.0).shape == (0,)


def test_ranges():
    drawn = [RandomAffine().draw((100, 200), RNG(seed)) for seed in range(3000)]
    matrices, scales = np.stack([m for m, _ in drawn]), np.array([s for _, s in drawn])
    assert 0.1 <= scales.min() < 0.12 and 1.98 < scales.max() <= 2
    shift = np.abs(matrices[:, :, 2])
    assert (19.5 < shift[:, 0].max() <= 20) and (9.7 < shift[:, 1].max() <= 10)
    # The determinant is scale^2 (1 - tan x tan y).
    tangents = 1 - np.linalg.det(matrices[:, :, :2]) / scales**2
    assert 0.8 < np.abs(tangents).max() / np.tan(np.radians(2)) ** 2 <= 1 + 1e-6
    angles = np.degrees(np.arctan2(matrices[:, 0, 1], matrices[:, 0, 0]))
    assert 9.5 < np.abs(angles).max() < 12.1


def test_filter():
    affine = RandomAffine(filter_boxes=True)
    before = np.array([[0, 0, 40, 40]] * 5, float)
    after = np.array(
        [
            [0, 0, 40, 40],
            [0, 0, 40, 2],  # 2 pixels high
            [0, 0, 7.9, 40],  # a fifth is left
            [0, 0, 8.1, 40],
            [0, 0, 62, 3],  # more than 20 times as wide as high
        ],
        float,
    )
    assert affine.kept(before, after, 1.0).tolist() == [True, False, False, True, False]
    # Scaled down by half, a tenth of the old area is two fifths of what is expected.
    assert affine.kept(before[:1], np.array([[0, 0, 16, 10.0]]), 0.5).tolist() == [True]
    assert RandomAffine().kept(before, after, 1.0).all()


@pytest.mark.parametrize("scale", [(0, 1), (2, 1), (-1, 1)])
def test_bad_scale(scale):
    with pytest.raises(ValueError, match="scale must be"):
        RandomAffine(scale=scale)
