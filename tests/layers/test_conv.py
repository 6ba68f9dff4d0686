import jax
import numpy as np
import pytest
from compiled import apply, init

from jaxvision.layers.conv import ConvNormAct


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "padding"),
    [(3, 1, 2, None), (3, 1, 12, None), (3, 2, 2, None), ((1, 3), 1, 3, None), (3, 1, 2, 0)],
)
def test_dilated_filter_sees_pixels_that_far_apart(kernel, stride, dilation, padding):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 9, 11, 3), np.float32)
    block = ConvNormAct(4, kernel, stride, act=None, dilation=dilation, padding=padding)
    variables = init(block, jax.random.key(0), x, train=False)
    weights = np.asarray(variables["params"]["conv"]["kernel"])
    height, width = weights.shape[:2]
    pads = [dilation * (side // 2) if padding is None else padding for side in (height, width)]
    padded = np.pad(x, ((0, 0), (pads[0],) * 2, (pads[1],) * 2, (0, 0)))
    reach = dilation * (height - 1), dilation * (width - 1)
    rows = range(0, padded.shape[1] - reach[0], stride)
    columns = range(0, padded.shape[2] - reach[1], stride)
    expected = np.zeros((2, len(rows), len(columns), 4))
    for a, i in enumerate(rows):
        for b, j in enumerate(columns):
            for m in range(height):
                for n in range(width):
                    seen = padded[:, i + m * dilation, j + n * dilation]
                    expected[:, a, b] += seen @ weights[m, n]
    # The norm's initial statistics are 0 and 1, its epsilon 1e-5.
    y = apply(block, variables, x, train=False)
    np.testing.assert_allclose(y, expected / np.sqrt(1 + 1e-5), rtol=1e-4, atol=1e-4)
