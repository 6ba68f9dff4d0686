import numpy as np

from jaxvision.ops.points import anchor_points


def test_cells_come_in_the_order_of_strides_rows_first():
    points = anchor_points(32, 64, (16, 32))
    np.testing.assert_array_equal(
        points.centers,
        [
            [8, 8],
            [24, 8],
            [40, 8],
            [56, 8],
            [8, 24],
            [24, 24],
            [40, 24],
            [56, 24],
            [16, 16],
            [48, 16],
        ],
    )
    np.testing.assert_array_equal(points.strides, [16] * 8 + [32] * 2)
