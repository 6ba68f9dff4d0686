import cv2
import numpy as np
import pytest

from jaxvision.data.augment.color import (
    ColorJitter,
    HSVGain,
    HSVShift,
    adjust_brightness,
    adjust_contrast,
    adjust_saturation,
    scale_hsv,
    shift_hsv,
)
from jaxvision.data.sample import Sample, image_objects


def _change(transform, image, rng):
    return transform(Sample(image, 0), rng).image


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
    shifts = np.array([int(_change(transform, grey, rng)[0, 0, 0]) - 128 for _ in range(4000)])
    # Cut towards zero, a thirtieth of the shifts that are on is 0 as well.
    assert abs((shifts == 0).mean() - (0.5 + 0.5 / 30)) < 0.03
    assert shifts.min() == -29 and shifts.max() == 29


def test_probability_zero_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
    rng = np.random.default_rng(1)
    assert all((_change(HSVShift(0.0), image, rng) == image).all() for _ in range(20))


def test_the_given_image_is_left_alone():
    image = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
    before = image.copy()
    for seed in range(10):
        _change(HSVShift(), image, np.random.default_rng(seed))
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    "gains", [(1.015, 1.7, 1.4), (0.985, 0.3, 0.6), (1.0, 0.9, 1.1), (2, 1, 1)]
)
def test_gain_equals_products_of_single_pixels(gains):
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(np.float64) * gains
    hsv[..., 0] %= 180
    hsv[..., 1:] = np.minimum(hsv[..., 1:], 255)
    expected = cv2.cvtColor(np.floor(hsv).astype(np.uint8), cv2.COLOR_HSV2RGB)
    np.testing.assert_array_equal(scale_hsv(image, *gains), expected)


def test_gains_by_hand():
    # (200, 100, 100) has value 200 and saturation 127.5, stored as 127. Its value times 1.1 is 220;
    # half of its saturation is 63.5, cut to 63: the others are 220 * (1 - 63 / 255) = 165.6.
    pixel = np.full((1, 1, 3), (200, 100, 100), np.uint8)
    assert scale_hsv(pixel, 1.0, 0.5, 1.1).ravel().tolist() == [220, 166, 166]


def test_ranges_of_gains():
    grey = np.full((1, 1, 3), 128, np.uint8)
    rng = np.random.default_rng(0)
    values = np.array([_change(HSVGain(), grey, rng)[0, 0, 0] for _ in range(4000)])
    # 128 * 0.6 = 76.8, 128 * 1.4 = 179.2, cut.
    assert 76 <= values.min() <= 77 and 178 <= values.max() <= 179
    assert abs(values.mean() - 127.5) < 2
    assert all((_change(HSVGain(0.0), grey, rng) == grey).all() for _ in range(20))


# Luma of the two pixels: 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2, and 40; the mean is 82.
PIXELS = np.array([[[200, 100, 50], [40, 40, 40]]], np.uint8)


def test_brightness_by_hand():
    assert adjust_brightness(PIXELS, 1.5).ravel().tolist() == [255, 150, 75, 60, 60, 60]
    assert (adjust_brightness(PIXELS, 0.0) == 0).all()


def test_contrast_by_hand():
    # 1.5 x - 41 and 0.5 x + 41.
    assert adjust_contrast(PIXELS, 1.5).ravel().tolist() == [255, 109, 34, 19, 19, 19]
    assert adjust_contrast(PIXELS, 0.5).ravel().tolist() == [141, 91, 66, 61, 61, 61]
    assert (adjust_contrast(PIXELS, 0.0) == 82).all()


def test_saturation_by_hand():
    # 1.5 x - 62 and 0.5 x + 62 for the first pixel; grey stays grey.
    assert adjust_saturation(PIXELS, 1.5).ravel().tolist() == [238, 88, 13, 40, 40, 40]
    assert adjust_saturation(PIXELS, 0.5).ravel().tolist() == [162, 112, 87, 40, 40, 40]
    assert adjust_saturation(PIXELS, 0.0).ravel().tolist() == [124] * 3 + [40] * 3


@pytest.mark.parametrize("adjust", [adjust_brightness, adjust_contrast, adjust_saturation])
def test_factor_one_changes_nothing(adjust):
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    np.testing.assert_array_equal(adjust(image, 1.0), image)


def test_jitter_draws_factors_and_order():
    objects = image_objects(np.ones((2, 4)), np.arange(2))
    rng = np.random.default_rng(0)
    grey = np.full((1, 1, 3), 100, np.uint8)
    sample = Sample(grey, 0, objects)
    drawn = [ColorJitter(brightness=0.5)(sample, rng) for _ in range(2000)]
    values = np.array([each.image[0, 0, 0] for each in drawn])
    assert values.min() == 50 and values.max() == 150 and abs(values.mean() - 100) < 2.5
    assert drawn[0].objects is objects
    # Brightness to 2 clips before or after the contrast pulls together: two orders, two results.
    results = {
        _change(ColorJitter(1.0, 1.0), PIXELS, Fixed(order))[0, 0, 0]
        for order in ([0, 1, 2], [1, 0, 2])
    }
    # 255 * 0.5 + 0.5 * 155.6 (luma of (255, 200, 100) is 205, of 80 is 80) and (100 + 41) * 2.
    assert results == {199, 255}
    assert _change(ColorJitter(), PIXELS, rng) is PIXELS


class Fixed:
    """Gives out an order, 2 for the brightness and a half for the contrast."""

    def __init__(self, order):
        self.order = order
        self.factors = [2.0, 0.5] if order[0] == 0 else [0.5, 2.0]

    def permutation(self, count):
        return np.array(self.order)

    def uniform(self, low, high):
        assert (low, high) == (0.0, 2.0)
        return self.factors.pop(0)


def test_negative_range():
    with pytest.raises(ValueError, match="contrast must be at least 0, got -1"):
        ColorJitter(contrast=-1)


@pytest.mark.parametrize("transform", [HSVGain(), ColorJitter(0.9, 0.9, 0.9)])
def test_changes_leave_the_given_image_alone(transform):
    image = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
    before = image.copy()
    rng = np.random.default_rng(0)
    for _ in range(10):
        _change(transform, image, rng)
    np.testing.assert_array_equal(image, before)
