import fill
import numpy as np
import pytest

from jaxvision.data.imresize import imresize, resize_matrix

SCALES = {"down2": 1 / 2, "down3": 1 / 3, "down4": 1 / 4, "up2": 2, "up3": 3, "up4": 4}


def test_images_of_8_bits_and_floats_match_matlab():
    case = fill.load_case("imresize_small")
    compared = 0
    for name, theirs in case.items():
        if not name.startswith(("down", "up")):
            continue
        scale, image = SCALES[name.partition("_")[0]], case[f"image{name[-1]}"]
        edges = "replicate" if "replicate" in name else "symmetric"
        if theirs.dtype == np.uint8:
            np.testing.assert_array_equal(imresize(image, scale, edges=edges), theirs)
        else:
            ours = imresize(image.astype(np.float64), scale)
            np.testing.assert_allclose(ours, theirs, atol=1e-4)
        compared += 1
    assert compared == 21


def test_sides_that_the_scale_does_not_divide_are_rounded_up():
    assert imresize(np.zeros((7, 9, 3), np.float32), 1 / 3).shape == (3, 3, 3)
    assert imresize(np.zeros((7, 9, 1), np.uint8), 1 / 2).dtype == np.uint8


def test_values_out_of_range_are_errors():
    with pytest.raises(ValueError, match="edges must be one of symmetric, replicate, got wrap"):
        resize_matrix(4, 2, 0.5, "wrap")
    with pytest.raises(ValueError, match="must be positive, got 0"):
        resize_matrix(0, 2, 0.5)
