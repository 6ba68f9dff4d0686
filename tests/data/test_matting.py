import cv2
import numpy as np
import pytest

from jaxvision.data.matting import FOREGROUND, UNKNOWN, GreenScreen, drop_small, screen_colour

GREEN = (40, 180, 60)


def before_a_screen(height=120, width=160, key=GREEN):
    """A soft disc before a screen that is darker on one side, and its alpha."""
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(y - height / 2, x - width / 2)
    alpha = np.clip((40 - distance) / 4 + 0.5, 0, 1)
    light = np.linspace(0.75, 1.05, width)[None, :, None]
    screen = np.clip(np.array(key) * light, 0, 255) * np.ones((height, 1, 1))
    colour = np.array([210, 120, 90.0])
    mixed = alpha[..., None] * colour + (1 - alpha[..., None]) * screen
    return np.rint(mixed).astype(np.uint8), alpha


@pytest.mark.parametrize("key", [GREEN, (30, 60, 200)])
def test_alpha_and_colours_of_a_soft_outline(key):
    image, true = before_a_screen(key=key)
    matte = GreenScreen()(image)
    np.testing.assert_allclose(matte.key, key, atol=25)
    assert np.abs(matte.alpha - true).mean() < 0.01 and np.abs(matte.alpha - true).max() < 0.2
    seen = matte.alpha > 0.05
    assert np.abs(matte.foreground[seen].astype(int) - [210, 120, 90]).max() < 30
    # Before black nothing of the screen is left.
    black = matte.over(np.zeros_like(image)).astype(int)
    assert (black[..., 1] - black[..., 0]).max() < 10
    labels = matte.label_map()
    assert (labels[true == 1] != 0).all() and (labels[true == 0] != 1).all()
    assert set(np.unique(labels)) == {0, 1, 255}


def test_small_contours_are_dropped():
    mask = np.zeros((40, 40), bool)
    mask[5:30, 5:30] = True
    clean = mask.copy()
    mask[10:12, 10:12] = False  # a hole
    mask[35:37, 35:37] = True  # a speck
    np.testing.assert_array_equal(drop_small(mask, 5), clean)
    np.testing.assert_array_equal(drop_small(mask, 4), mask)
    image = np.full((100, 100, 3), GREEN, np.uint8)
    image[50:53, 50:53] = 200
    assert not GreenScreen(least=0.001)(image).alpha.any()
    assert GreenScreen(least=0.0005, band=1)(image).alpha.any()


def test_the_screens_colour_is_the_most_frequent_along_the_edges():
    image = np.full((60, 80, 3), (200, 30, 30), np.uint8)
    image[:, :50] = GREEN
    image[10:50, 10:70] = 255
    assert screen_colour(image) == GREEN


def test_the_edge_of_the_picture_is_no_outline():
    image = np.full((40, 60, 3), GREEN, np.uint8)
    image[:, 30:] = 220
    trimap = GreenScreen(band=3)(image).trimap
    assert (trimap[:, 40:] == FOREGROUND).all() and (trimap[:, 28:32] == UNKNOWN).all()


def test_wrong_input_is_an_error():
    with pytest.raises(ValueError, match=r"tolerance must be in \(0, 255\]"):
        GreenScreen(tolerance=0)
    with pytest.raises(ValueError, match="key must be red, green and blue"):
        GreenScreen(key=(0, 255))
    with pytest.raises(ValueError, match=r"image must be RGB \[H, W, 3\] uint8"):
        GreenScreen()(np.zeros((4, 4), np.uint8))
    with pytest.raises(ValueError, match="background must be"):
        GreenScreen()(np.zeros((4, 4, 3), np.uint8)).over(np.zeros((5, 4, 3), np.uint8))


def test_matches_a_screen_that_is_noisy():
    image, true = before_a_screen()
    noisy = image + np.random.default_rng(0).normal(0, 6, image.shape)
    noisy = cv2.GaussianBlur(np.clip(noisy, 0, 255).astype(np.uint8), (3, 3), 0)
    assert np.abs(GreenScreen()(noisy).alpha - true).mean() < 0.02
