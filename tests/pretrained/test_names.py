import numpy as np
import pytest

from jaxvision.pretrained.layout import BGR_STEM, TORCH, dense_as_conv, flattened
from jaxvision.pretrained.names import rename


@pytest.mark.parametrize(
    ("rule", "path", "expected"),
    [
        (("^stage{s}_block{b}/", "layer{s-1}/{b-1}/"), "stage2_block11/x", "layer1/10/x"),
        (("^merge{s}/", "features/{2*s-2}/"), "merge3/x", "features/4/x"),
        (("/{s:mean|var}$", "/running_{s}"), "a/b/var", "a/b/running_var"),
        (("^exit{n}/", "conv{n+2}/"), "exit1/exit2/x", "conv3/exit2/x"),
        (("/norm/", "/bn/"), "a/norm/norm/x", "a/bn/norm/x"),
        (("^stage{s}/", "layer{s}/"), "other/stage1/x", "other/stage1/x"),
    ],
)
def test_rows_count_and_repeat(rule, path, expected):
    assert rename(path, [rule]) == expected


def test_rows_apply_in_their_order():
    rules = (("^a/", "b/"), ("^b/", "c/"))
    assert rename("a/x", rules) == "c/x"
    assert rename("a/x", rules[::-1]) == "b/x"


@pytest.mark.parametrize(
    ("layout", "shape"),
    [
        (TORCH, (2, 3)),
        (TORCH, (2, 3, 5, 7)),
        (TORCH, (4,)),
        (flattened(side=3), (4, 5 * 9)),
        (dense_as_conv(side=3), (4, 5, 3, 3)),
        (BGR_STEM, (4, 12, 3, 3)),
    ],
)
def test_layouts_are_inverted(layout, shape):
    tensor = np.arange(np.prod(shape)).reshape(shape)
    ours = layout.load(tensor)
    np.testing.assert_array_equal(layout.export(ours), tensor)


def test_stem_takes_red_where_the_reference_takes_blue():
    tensor = np.zeros((1, 12, 1, 1))
    tensor[0, 3] = 1  # Blue of the second of four pixels.
    assert BGR_STEM.load(tensor)[0, 0, :, 0].argmax() == 5
