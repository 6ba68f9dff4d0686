import cv2
import numpy as np
import pytest
from bright import bright

from jaxvision.data.augment.fixed_crop import CenterCrop
from jaxvision.data.augment.letterbox import Letterbox
from jaxvision.inference.views import View, Views


def picture(*squares, height=200, width=300):
    image = np.zeros((height, width, 3), np.uint8)
    for x1, y1, x2, y2 in squares:
        image[y1:y2, x1:x2] = 255
    return image


def test_boxes_come_back_to_the_image():
    view = View(100, 50, 80, 60, scale=0.5)
    boxes = np.float32([[10, 5, 20, 15]])
    np.testing.assert_array_equal(view.to_image(boxes), [[120, 60, 140, 80]])
    # 20 to 40 of 80 pixels is 40 to 60 from the other side.
    mirrored = view._replace(mirrored=True).to_image(boxes)
    np.testing.assert_array_equal(mirrored, [[140, 60, 160, 80]])


def test_windows_cover_the_image_and_overlap_by_a_fifth():
    views = Views(Letterbox((64, 64)), tile=100)
    found = [view for view, _ in views(picture(height=100, width=300))]
    assert [(v.left, v.top, v.width, v.height) for v in found] == [
        (0, 0, 300, 100),
        *((left, 0, 100, 100) for left in (0, 67, 133, 200)),
    ]
    # A fifth of a window fits into some window as a whole.
    assert [v.least for v in found] == [20, 0, 0, 0, 0]
    assert found[1].inner == (False, False, True, False)
    assert found[2].inner == (True, False, True, False)
    assert found[4].inner == (True, False, False, False)
    assert len(views(picture(height=100, width=90))) == 1


def test_augmented_views_are_mirrored_and_scaled():
    found = Views(Letterbox((128, 160)), tta=True)(picture())
    assert [shown.shape[:2] for _, shown in found] == [
        shape for shape in ((128, 160), (96, 128), (160, 192)) for _ in range(2)
    ]
    assert [view.mirrored for view, _ in found] == [False, True] * 3


def test_wrong_views():
    with pytest.raises(ValueError, match="tta needs a detector whose transform is Letterbox"):
        Views(CenterCrop((64, 64), None), tta=True)
    with pytest.raises(ValueError, match="tile must be at least 32 pixels, got 8"):
        Views(Letterbox((64, 64)), tile=8)


@pytest.mark.parametrize("options", [dict(tta=True), dict(tile=100), dict(tta=True, tile=100)])
def test_object_is_found_once_and_in_its_place(options):
    # At the edge of a window, which cuts it off, and as small as two pixels in the whole image.
    detector = bright().replaced(**options)
    image = picture((90, 40, 110, 55))
    found, missing = detector([image, picture()])
    assert found.names == ["blob"] and len(missing) == 0
    np.testing.assert_allclose(found.boxes, [[90, 40, 110, 55]], atol=5)
    assert detector.task.model.shapes and found.size == (200, 300)


def test_window_finds_what_the_whole_image_hides():
    # In the whole image both are one blob; each window shows one of them.
    image = picture((20, 20, 40, 40), (250, 150, 270, 170))
    assert len(bright()(image)) == 1
    boxes = bright().replaced(tile=128)(image).boxes
    for expected in ([20, 20, 40, 40], [250, 150, 270, 170]):
        assert np.abs(boxes - np.float32(expected)[None]).max(axis=1).min() <= 3


def test_views_of_any_number_are_a_few_programs():
    detector = bright(batch_size=4).replaced(tile=64)
    sizes = [(200, 300), (210, 300), (100, 90), (400, 160)]
    detector([picture(height=h, width=w) for h, w in sizes])
    assert detector.task.model.shapes == [(4, 64, 64, 3)]


def test_options_keep_and_change_programs():
    detector = bright()
    assert detector.replaced(threshold=0.9)._infer is detector._infer
    assert detector.replaced(iou=0.3)._infer is not detector._infer
    image = cv2.resize(picture((90, 40, 110, 55)), (64, 64))
    assert len(detector.replaced(threshold=0.99)(image)) == 0
    assert len(detector.replaced(classes=["blob"])(image)) == 1
    assert len(detector.replaced(classes=["other"])(image)) == 0
    assert detector.replaced(class_agnostic=True).task.class_aware is False


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(threshold=1.5), r"threshold must be in \[0, 1\], got 1.5"),
        (dict(iou=-0.1), r"iou must be in \[0, 1\], got -0.1"),
        (dict(classes=["bolb"]), "got bolb; did you mean blob"),
        (dict(classes=["x"]), "got x; they are blob, other"),
        (dict(batch_size=0), "batch_size must be at least 1, got 0"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        bright().replaced(**options)
