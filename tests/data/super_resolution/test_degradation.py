import jax
import numpy as np
import pytest

from jaxvision.data.augment.patch import EightFold, RandomPatch
from jaxvision.data.degradation import Degradation, gaussian_kernel
from jaxvision.data.errors import DataError
from jaxvision.data.imresize import imresize, upscaled
from jaxvision.data.sample import Sample
from jaxvision.data.sources.pictures import Degraded, Given, Interpolated
from jaxvision.data.super_resolution import patch_example, prepared
from jaxvision.data.windows import Windows
from jaxvision.data.ycbcr import luma
from jaxvision.layers.bicubic import enlarge_bicubic, shrink

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (24, 36, 3), np.uint8)


def test_bicubic_alone_is_matlabs():
    assert not Degradation(3).random
    np.testing.assert_array_equal(Degradation(3)(IMAGE, RNG), imresize(IMAGE, 1 / 3))
    exact = Degradation(3, rounded=False)(IMAGE, RNG)
    np.testing.assert_allclose(exact, imresize(IMAGE.astype(np.float32), 1 / 3), atol=1e-3)


def test_noise_and_jpeg_change_the_small_picture():
    plain = Degradation(2)(IMAGE, RNG).astype(int)
    noisy = Degradation(2, noise=(10, 10))
    error = noisy(IMAGE, np.random.default_rng(1)) - plain
    assert noisy.random and 7 < error.std() < 13
    assert np.abs(Degradation(2, jpeg=(30, 30))(IMAGE, RNG) - plain).mean() > 2
    assert Degradation(2, blur=(0.5, 2)).random


@pytest.mark.parametrize("scale", [2, 3])
def test_direct_downsizing_does_not_shift_the_picture(scale):
    # A ramp stays one with the values at the middles of the small pixels.
    ramp = np.broadcast_to(np.arange(60, dtype=np.float32)[None, :, None], (60, 60, 3))
    low = Degradation(scale, blur=(1, 1), downsize="direct", rounded=False)(ramp, RNG)
    middles = scale * np.arange(60 // scale) + (scale - 1) / 2
    np.testing.assert_allclose(low[10, 4:-4, 0], middles[4:-4], atol=1e-3)


def test_the_device_makes_pictures_small_and_large_as_the_host_does():
    kernel = gaussian_kernel(1.2, 2.0, 0.6)
    kernel[0] += 0.01  # not symmetric
    image = IMAGE.astype(np.float32)
    for how in (
        Degradation(2, rounded=False),
        Degradation(2, kernel=kernel, rounded=False),
        Degradation(2, kernel=kernel, downsize="direct", rounded=False),
    ):
        ours = shrink(image[None], 2, how.fixed_kernel(), direct=how.downsize == "direct")
        np.testing.assert_allclose(ours[0], how(image, RNG), atol=1e-2)
    np.testing.assert_allclose(enlarge_bicubic(image[None], 3)[0], upscaled(image, 3), atol=1e-2)


def test_wrong_values_are_errors():
    for options, message in (
        (dict(blur=(2.0, 1.0)), "Degradation.blur must be two numbers, low <= high, got"),
        (dict(jpeg=(10, 101)), r"Degradation.jpeg must be in .0, 100., got"),
        (dict(downsize="nearest"), "must be one of bicubic, direct, got nearest"),
        (dict(downsize="direct"), "needs a blur"),
        (dict(jpeg=(50, 50), rounded=False), "needs pictures of 8 bits"),
        (dict(elongation=0.5), "at least 1, got 0.5"),
        (dict(elongation=float("nan")), "at least 1, got nan"),
    ):
        with pytest.raises(ValueError, match=message):
            Degradation(2, **options)
    with pytest.raises(ValueError, match="one kernel for all pictures"):
        Degradation(2, blur=(1.0, 2.0)).fixed_kernel()


def test_a_patch_and_its_target_show_the_same():
    # The target is the small picture with each pixel as a square.
    small = RNG.integers(0, 256, (12, 10, 3), np.uint8)
    sample = Sample(small, 0, target=small.repeat(2, 0).repeat(2, 1))
    ways = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        patch = EightFold()(RandomPatch(8)(sample, rng), rng)
        assert patch.image.shape == (4, 4, 3) and patch.target.shape == (8, 8, 3)
        np.testing.assert_array_equal(patch.target, patch.image.repeat(2, 0).repeat(2, 1))
        whole = EightFold()(Sample(small[:4, :4], 0), np.random.default_rng(seed)).image
        ways.add(whole.tobytes())
    assert len(ways) == 8


def test_patches_that_do_not_fit_are_errors():
    sample = Sample(IMAGE[:4, :4], 3, target=IMAGE[:8, :8])
    with pytest.raises(ValueError, match="multiple of the scale, 2, got 7"):
        RandomPatch(7)(sample, RNG)
    with pytest.raises(DataError, match="3: 8 x 8 pixels are fewer than a patch of 10"):
        RandomPatch(10)(sample, RNG)
    with pytest.raises(ValueError, match="must be a multiple of the scale 3, got 8"):
        patch_example(Given([IMAGE]), 8, Degradation(3))
    with pytest.raises(DataError, match="2 x 24 pixels are too few for the scale 4"):
        Degraded(Given([IMAGE[:, :2]]), Degradation(4))[0]


def test_interpolated_patches_are_cut_from_the_interpolated_picture():
    source = Given([IMAGE])
    how = Degradation(3, rounded=False)
    (whole,) = [Interpolated(Degraded(source, how), y_alone=True)[0]]
    np.testing.assert_allclose(
        whole.image[..., 0], luma(upscaled(how(IMAGE, RNG), 3)), rtol=1e-3, atol=0.05
    )
    kept = prepared(source, how, y_alone=True, cache_bytes=10**6)
    row = patch_example(kept, 12, how, turn=False, y_alone=True)(0, np.random.default_rng(3))
    assert row["image"].shape == (12, 12, 1) and row["target"].shape == (12, 12, 3)
    assert row["index"].shape == ()
    places = [
        (y, x)
        for y in range(13)
        for x in range(25)
        if (whole.target[y : y + 12, x : x + 12] == row["target"]).all()
    ]
    ((y, x),) = places
    np.testing.assert_array_equal(whole.image[y : y + 12, x : x + 12], row["image"])


def test_random_degradations_differ_from_patch_to_patch():
    how = Degradation(2, noise=(5, 5))
    example = patch_example(prepared(Given([IMAGE]), how), 8, how)
    one, two = (example(0, np.random.default_rng(i)) for i in (1, 2))
    assert one["image"].shape == (4, 4, 3) and (one["image"] != two["image"]).any()
    again = example(0, np.random.default_rng(1))
    jax.tree.map(np.testing.assert_array_equal, one, again)


@pytest.mark.parametrize("size", [(10, 33), (64, 20), (40, 100)])
def test_windows_count_every_pixel_once_and_see_beyond(size):
    windows = Windows(side=24, overlap=4)
    seen = np.zeros(size, int)
    for window, shown in windows(np.zeros((*size, 3), np.uint8)):
        left, top, right, bottom = window.kept
        seen[top:bottom, left:right] += 1
        assert shown.shape == (min(24, size[0]), min(24, size[1]), 3)
        assert left == 0 or left - window.left >= 4
        assert bottom == size[0] or window.top + window.height - bottom >= 4
    assert (seen == 1).all()
    with pytest.raises(ValueError, match="more than twice the overlap of 16 pixels, got 32"):
        Windows(side=32)
