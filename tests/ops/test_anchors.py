import numpy as np
import pytest

from jaxvision.ops.anchors import anchor_boxes, cell_anchors


def test_boxes_of_a_cell_are_rounded_and_ratios_come_first():
    # Area 32^2 at height : width = 1 : 2 is 45.25 x 22.63 pixels.
    np.testing.assert_array_equal(
        cell_anchors([32, 40], [0.5, 1.0]),
        [[-23, -11, 23, 11], [-28, -14, 28, 14], [-16, -16, 16, 16], [-20, -20, 20, 20]],
    )


def test_halves_are_rounded_to_the_even_neighbour():
    np.testing.assert_array_equal(cell_anchors([5, 7], [1.0]), [[-2, -2, 2, 2], [-4, -4, 4, 4]])


def test_levels_then_rows_then_columns_then_boxes():
    anchors = anchor_boxes(16, 32, (8, 16), [[2, 4], [8, 16]], [1.0])
    assert anchors.counts == (2 * 4 * 2, 1 * 2 * 2)
    assert anchors.boxes.shape == (20, 4)
    assert anchors.boxes.dtype == np.float32
    np.testing.assert_array_equal(
        anchors.boxes[:5],
        [[-1, -1, 1, 1], [-2, -2, 2, 2], [7, -1, 9, 1], [6, -2, 10, 2], [15, -1, 17, 1]],
    )
    np.testing.assert_array_equal(anchors.boxes[8], [-1, 7, 1, 9])  # the second row
    np.testing.assert_array_equal(anchors.boxes[-1], [8, -8, 24, 8])
    assert (anchors.height, anchors.width) == (16, 32)


def test_cells_spread_over_the_image_where_the_stride_does_not_divide_it():
    # ceil(96 / 64) = 2 columns, 96 // 2 = 48 pixels apart, not 64.
    anchors = anchor_boxes(64, 96, (64,), [[2]], [1.0])
    np.testing.assert_array_equal(anchors.boxes, [[-1, -1, 1, 1], [47, -1, 49, 1]])


def test_every_level_has_sizes():
    with pytest.raises(ValueError, match="those of 2 levels, got 1"):
        anchor_boxes(64, 64, (8, 16), [[32]], [1.0])
