import cv2
import numpy as np
import pytest

from jaxvision.data.augment.color import HSVShift, shift_hsv


@pytest.mark.parametrize(
    "shift",
    [(5, 30, 30), (-5, -30, -30), (0, 0, 17), (3, -12, 0), (-1, 20, -9), (179, 0, 0), (-179, 0, 0)],
)
def test_shift_equals_16_bit_arithmetic(shift):
    image = np.random.default_rng(0).integers(0, 256, (400, 500, 3), np.uint8)
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(np.int16)
    hsv[..., 0] = (hsv[..., 0] + shift[0]) % 180
    hsv[..., 1:] = np.clip(hsv[..., 1:] + shift[1:], 0, 255)
    expected = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)
    np.testing.assert_array_equal(shift_hsv(image, *shift), expected)


def test_hue_turns_round_from_red():
    red = np.full((1, 1, 3), (255, 0, 0), np.uint8)
    assert shift_hsv(red, -5, 0, 0)[0, 0, 2] > 0, "towards blue"
    assert shift_hsv(red, 5, 0, 0)[0, 0, 1] > 0, "towards green"


def test_value_is_clipped():
    white = np.full((1, 1, 3), 250, np.uint8)
    np.testing.assert_array_equal(shift_hsv(white, 0, 0, 30), 255)


def test_each_channel_is_off_half_of_the_time():
    # Grey has no saturation to lose and no hue: only the value's shift is seen.
    grey = np.full((1, 1, 3), 128, np.uint8)
    rng = np.random.default_rng(0)
    transform = HSVShift(saturation=0)
    shifts = np.array([int(transform(grey, rng)[0, 0, 0]) - 128 for _ in range(4000)])
    # Cut towards zero, a thirtieth of the shifts that are on is 0 as well.
    assert abs((shifts == 0).mean() - (0.5 + 0.5 / 30)) < 0.03
    assert shifts.min() == -29 and shifts.max() == 29


def test_probability_zero_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
    rng = np.random.default_rng(1)
    assert all((HSVShift(0.0)(image, rng) == image).all() for _ in range(20))


def test_the_given_image_is_left_alone():
    image = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
    before = image.copy()
    for seed in range(10):
        HSVShift()(image, np.random.default_rng(seed))
    np.testing.assert_array_equal(image, before)
