import pytest

from jaxvision.data.augment.letterbox import rectangles


def test_shapes_of_the_common_aspect_ratios():
    assert rectangles(640) == ((384, 640), (640, 384), (480, 640), (640, 480), (640, 640))
    # 0.75 * 416 = 312 and 0.6 * 416 = 249.6, up to multiples of 32.
    assert rectangles(416) == ((256, 416), (416, 256), (320, 416), (416, 320), (416, 416))


def test_small_sides_need_fewer_shapes():
    assert rectangles(32) == ((32, 32),)
    assert rectangles(64) == ((64, 64),)


@pytest.mark.parametrize("side", [0, 48, 630])
def test_sides_that_are_no_multiple(side):
    with pytest.raises(ValueError, match=f"multiple of 32, got {side}"):
        rectangles(side)
