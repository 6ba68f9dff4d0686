import fill
import numpy as np

from jaxvision.data.augment.geometry import FILL
from jaxvision.data.augment.letterbox import Fit, Letterbox, Pad
from jaxvision.data.sample import Sample, image_objects

BOXES = np.array([[10, 20, 110, 220], [0, 0, 400, 300]], np.float32)


def _apply(transform, image, boxes=BOXES):
    """Returns image, boxes and scale of the transformed sample."""
    sample = transform(Sample(image, 0, image_objects(boxes)))
    return sample.image, sample.objects.boxes, sample.scale


def test_wide_image_is_scaled_by_its_width_and_padded_below():
    image = np.full((300, 400, 3), 7, np.uint8)
    result, boxes, scale = _apply(Letterbox((100, 100)), image)
    assert scale == 0.25
    assert result.shape == (100, 100, 3) and result.dtype == np.uint8
    assert (result[:75] == 7).all() and (result[75:] == FILL).all()
    np.testing.assert_allclose(boxes, [[2.5, 5, 27.5, 55], [0, 0, 100, 75]])
    assert boxes.dtype == np.float32


def test_tall_image_is_scaled_by_its_height_and_padded_to_the_right():
    result, _, scale = _apply(Letterbox((96, 160)), np.full((192, 64, 3), 7, np.uint8))
    assert scale == 0.5
    assert (result[:, :32] == 7).all() and (result[:, 32:] == FILL).all()


def test_small_image_is_enlarged():
    _, boxes, scale = _apply(Letterbox((64, 64)), np.zeros((32, 16, 3), np.uint8), BOXES[:1])
    assert scale == 2
    np.testing.assert_allclose(boxes, [[20, 40, 220, 440]])


def test_sides_are_rounded_down_and_boxes_are_not():
    # 100 / 333 * 200 = 60.06.
    image, boxes, scale = _apply(Fit((100, 100)), np.zeros((200, 333, 3), np.uint8), BOXES[:1])
    assert image.shape == (60, 100, 3)
    np.testing.assert_allclose(boxes, BOXES[:1] * (100 / 333), rtol=1e-6)
    assert scale == 100 / 333


def test_an_image_of_one_row_keeps_a_row():
    image, _, _ = _apply(Fit((32, 32)), np.zeros((1, 2000, 3), np.uint8))
    assert image.shape == (1, 32, 3)


def test_no_objects():
    _, boxes, _ = _apply(Letterbox((32, 32)), np.zeros((8, 8, 3), np.uint8), [])
    assert boxes.shape == (0, 4)


def test_the_objects_pixels_stay_in_its_box():
    image = np.zeros((120, 160, 3), np.uint8)
    image[40:80, 20:120] = 255
    result, boxes, _ = _apply(Letterbox((80, 80)), image, [[20, 40, 120, 80]])
    np.testing.assert_allclose(boxes, [[10, 20, 60, 40]])
    assert (result[20:40, 10:60] == 255).all()
    assert (result[:20] == 0).all() and (result[20:40, 60:] == 0).all()


def test_pad_leaves_a_full_image_as_it_is():
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    sample = Sample(image, 0)
    assert Pad((4, 4))(sample) is sample


def test_short_side_is_torchvisions():
    """Sizes are equal, pixels to rounding; boxes, there, follow the rounded sides."""
    case = fill.load_case("ops_detection_transform")
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    for i in range(3):
        fit = Fit((int(case["max_size"]),) * 2, int(case["min_size"]))
        image, boxes, _ = _apply(fit, case[f"image{i}"].transpose(1, 2, 0), case[f"boxes{i}"])
        height, width = case[f"size{i}"]
        assert image.shape == (height, width, 3)
        batched = case[f"batched{i}"].transpose(1, 2, 0)[:height, :width]
        # A level is divided by 255 and the deviation, and ours are rounded.
        np.testing.assert_allclose(image, 255 * (batched * std + mean), atol=1.01)
        np.testing.assert_allclose(boxes, case[f"boxes_out{i}"], rtol=1 / min(height, width))


def test_short_side_limits_the_size_only_where_it_is_shorter():
    image = np.zeros((100, 200, 3), np.uint8)
    assert _apply(Fit((100, 100), short_side=40), image)[0].shape == (40, 80, 3)
    assert _apply(Fit((100, 100), short_side=60), image)[0].shape == (50, 100, 3)
    assert _apply(Letterbox((100, 100), short_side=40), image)[0].shape == (100, 100, 3)
    assert Letterbox((100, 100), ((40, 100), (100, 100)), 40).shape((100, 200)) == (40, 100)
