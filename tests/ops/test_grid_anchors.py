import numpy as np
import pytest

from jaxvision.ops.grid_anchors import grid_anchors, image_size


def test_rows_then_columns_then_anchors_of_a_cell():
    found = grid_anchors(32, 64, (16, 32), [[(3, 4), (5, 6)], [(7, 8), (9, 10)]])
    first, second = found.levels
    assert (first.rows, first.columns, first.start, first.count) == (2, 4, 0, 16)
    assert (second.rows, second.columns, second.start, second.count) == (1, 2, 16, 4)
    np.testing.assert_array_equal(found.corners[:4], [[0, 0], [0, 0], [16, 0], [16, 0]])
    np.testing.assert_array_equal(found.corners[8], [0, 16])
    np.testing.assert_array_equal(found.sizes[[0, 1, 16, 19]], [[3, 4], [5, 6], [7, 8], [9, 10]])
    np.testing.assert_array_equal(found.strides, [16] * 16 + [32] * 4)
    assert second.anchors == slice(16, 20) and image_size(found) == (32, 64)


def test_as_many_maps_as_strides():
    with pytest.raises(ValueError, match="anchors must be those of 2 maps, got 1"):
        grid_anchors(32, 32, (8, 16), [[(1, 1)]])
