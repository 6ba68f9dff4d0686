import numpy as np

from jaxvision.data.augment.letterbox import FILL, Letterbox, fit, pad

BOXES = np.array([[10, 20, 110, 220], [0, 0, 400, 300]], np.float32)


def test_wide_image_is_scaled_by_its_width_and_padded_below():
    image = np.full((300, 400, 3), 7, np.uint8)
    result, boxes, scale = Letterbox((100, 100))(image, BOXES)
    assert scale == 0.25
    assert result.shape == (100, 100, 3) and result.dtype == np.uint8
    assert (result[:75] == 7).all() and (result[75:] == FILL).all()
    np.testing.assert_allclose(boxes, [[2.5, 5, 27.5, 55], [0, 0, 100, 75]])
    assert boxes.dtype == np.float32


def test_tall_image_is_scaled_by_its_height_and_padded_to_the_right():
    result, _, scale = Letterbox((96, 160))(np.full((192, 64, 3), 7, np.uint8), BOXES)
    assert scale == 0.5
    assert (result[:, :32] == 7).all() and (result[:, 32:] == FILL).all()


def test_small_image_is_enlarged():
    _, boxes, scale = Letterbox((64, 64))(np.zeros((32, 16, 3), np.uint8), BOXES[:1])
    assert scale == 2
    np.testing.assert_allclose(boxes, [[20, 40, 220, 440]])


def test_sides_are_rounded_down_and_boxes_are_not():
    # 100 / 333 * 200 = 60.06.
    image, boxes, scale = fit(np.zeros((200, 333, 3), np.uint8), BOXES[:1], (100, 100))
    assert image.shape == (60, 100, 3)
    np.testing.assert_allclose(boxes, BOXES[:1] * (100 / 333), rtol=1e-6)
    assert scale == 100 / 333


def test_an_image_of_one_row_keeps_a_row():
    image, _, _ = fit(np.zeros((1, 2000, 3), np.uint8), BOXES, (32, 32))
    assert image.shape == (1, 32, 3)


def test_no_objects():
    _, boxes, _ = Letterbox((32, 32))(np.zeros((8, 8, 3), np.uint8), np.zeros((0, 4), np.float32))
    assert boxes.shape == (0, 4)


def test_the_objects_pixels_stay_in_its_box():
    image = np.zeros((120, 160, 3), np.uint8)
    image[40:80, 20:120] = 255
    result, boxes, _ = Letterbox((80, 80))(image, np.array([[20, 40, 120, 80]], np.float32))
    np.testing.assert_allclose(boxes, [[10, 20, 60, 40]])
    assert (result[20:40, 10:60] == 255).all()
    assert (result[:20] == 0).all() and (result[20:40, 60:] == 0).all()


def test_pad_leaves_a_full_image_as_it_is():
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    np.testing.assert_array_equal(pad(image, (4, 4)), image)
