import gc
import json
import tracemalloc

import cv2
import numpy as np
import pytest
from cases import quick
from striped import NAMES, striped

from jaxvision.data.label_map import decode_label_map
from jaxvision.inference.label_views import LabelViews, window_starts, window_weights
from jaxvision.inference.views import View


def picture(height, width, seed=0, cell=8):
    """Squares of three colours, and their classes."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 3, (-(-height // cell), -(-width // cell)))
    classes = np.kron(small, np.ones((cell, cell), int))[:height, :width]
    colours = np.array([[200, 30, 30], [30, 200, 30], [30, 30, 200]], np.uint8)
    return colours[classes], classes.astype(np.uint8)


def test_the_class_of_every_pixel_in_the_images_own_size():
    image, classes = picture(64, 96)
    found = striped(size=(64, 96))(image)
    np.testing.assert_array_equal(found.label_map, classes)
    assert found.label_map.dtype == np.uint8
    np.testing.assert_array_equal(found.mask("green"), classes == 1)
    assert sum(found.pixels.values()) == 64 * 96 and set(found.names) == set(NAMES)
    # Through an input of half the size and another aspect ratio, borders are less exact.
    small = striped(size=(48, 48))(image)
    assert (small.label_map == classes).mean() > 0.9


@pytest.mark.parametrize("tta", [False, True])
def test_mirror_images_and_scales_agree_with_the_image(tta):
    image, classes = picture(50, 75, cell=25)
    found = striped(size=(64, 96)).replaced(tta=tta)(image)
    assert (found.label_map == classes).mean() > 0.9


# The second and the last are wider than a stripe.
SIZES = [(200, 150), (64, 300), (40, 40), (90, 610)]


@pytest.mark.parametrize("size", quick(SIZES, (64, 300), (40, 40)))
def test_windows_give_what_the_whole_image_gives(size):
    image, _ = picture(*size, cell=5)
    # Each pixel depends on two around it; the outer eighth of a window of 64 pixels is not used.
    model = striped(side=5, size=size, batch_size=4)
    whole = model(image).label_map
    for tta in (False, True):
        windows = model.replaced(tile=64, tta=tta)(image).label_map
        # At the image's edges, a window is filled up by mirroring instead of by zeros.
        np.testing.assert_array_equal(windows[2:-2, 2:-2], whole[2:-2, 2:-2])


def test_windows_cover_every_pixel_and_their_weights_sum_to_one():
    for height, width in ((100, 64), (230, 391)):
        views = LabelViews(None, tile=96)(np.zeros((height, width, 3), np.uint8))
        total = np.zeros((height, width))
        for view, shown in views:
            assert shown.shape == (96, 96, 3) and view.top % 32 == view.left % 32 == 0
            place = (
                slice(view.top, view.top + view.height),
                slice(view.left, view.left + view.width),
            )
            total[place] += window_weights(view, 96)
        assert total.min() > 0.99
    assert window_starts(200, 128) == [0, 96]
    # Two windows a step of 96 apart, in the 32 pixels that they share.
    one = window_weights(View(0, 0, 128, 128, 1.0, inner=(False, False, True, False)), 128)
    two = window_weights(View(96, 0, 128, 128, 1.0, inner=(True, False, False, False)), 128)
    np.testing.assert_allclose(one[:, 96:] + two[:, :32], 1, rtol=1e-6)
    assert not one[:, 120:].any() and not two[:, :8].any()


def peak_of_windows(model, height, width):
    """Returns the most bytes in use while a picture is predicted, without its label map."""
    image = np.zeros((height, width, 3), np.uint8)
    gc.collect()
    tracemalloc.start()
    model(image)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak - height * width


def test_memory_of_windows_does_not_grow_with_the_picture():
    model = striped(batch_size=4).replaced(tile=64)
    model(np.zeros((96, 256, 3), np.uint8))
    small = peak_of_windows(model, 96, 256)
    # Sums of whole rows would take 2 MB more for the first; what is left is not yet collected.
    assert peak_of_windows(model, 96, 1500 + 7) < 1.6 * small
    assert peak_of_windows(model, 600, 256) < 1.6 * small


def test_a_large_picture_takes_windows_one_batch_after_another():
    image, classes = picture(320, 256, cell=16)
    model = striped(size=(32, 32), batch_size=2).replaced(tile=64)
    one, two = model.stream([image, image[:96]])
    np.testing.assert_array_equal(one.label_map, classes)
    np.testing.assert_array_equal(two.label_map, classes[:96])


def test_result_is_a_picture_a_palette_file_and_json(tmp_path):
    image, classes = picture(40, 60)
    cv2.imwrite(str(tmp_path / "a.png"), image[..., ::-1])
    found = striped(size=(40, 60))(tmp_path / "a.png")
    drawn = found.plot()
    assert drawn.dtype == np.uint8 and drawn.shape[0] > 40 and drawn.shape[1:] == (60, 3)
    # The background stays as it is, but for the lines around it.
    np.testing.assert_array_equal(drawn[:40][classes == 0], image[classes == 0])
    assert (drawn[:40][classes == 1] != image[classes == 1]).any()
    file = found.save_mask(tmp_path / "masks" / "a.png")
    np.testing.assert_array_equal(decode_label_map(file.read_bytes(), "a"), classes)
    values = json.loads(found.to_json())
    assert (values["height"], values["width"]) == (40, 60)
    assert sum(each["share"] for each in values["classes"]) == pytest.approx(1)
    assert found.names[0] in found.summary()


def test_wrong_options_are_errors(tmp_path):
    model = striped()
    with pytest.raises(ValueError, match="tile must be a multiple of 32, at least 64, got 50"):
        model.replaced(tile=50)
    found = model(picture(20, 20)[0])
    with pytest.raises(ValueError, match="name must be one of background, green, blue, got red"):
        found.mask("red")
    with pytest.raises(ValueError, match="must end in .png"):
        found.save_mask(tmp_path / "a.jpg")
