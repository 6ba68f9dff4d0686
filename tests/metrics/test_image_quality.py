import fill
import numpy as np
import pytest

from jaxvision.data.imresize import rounded
from jaxvision.data.ycbcr import luma, to_rgb, to_ycbcr
from jaxvision.metrics.image_quality import psnr, rmse, shaved, ssim


@pytest.mark.parametrize("number", [0, 1])
def test_values_match_those_of_matlab(number):
    case = fill.load_case("sr_metrics")
    one, other = (case[f"{name}{number}"].astype(np.float64) for name in ("image", "other"))
    assert rmse(one, other) == pytest.approx(float(case[f"rmse_rgb{number}"]), rel=1e-9)
    assert psnr(one, other) == pytest.approx(float(case[f"psnr_rgb{number}"]), rel=1e-9)
    assert ssim(one, other) == pytest.approx(float(case[f"ssim_rgb{number}"]), rel=1e-7)
    np.testing.assert_allclose(luma(one), case[f"luma{number}"], rtol=1e-9)
    for border in (0, 3, 4):
        for kind, of in (("", lambda y: y), ("rounded_", rounded)):
            pair = [shaved(of(luma(x)), border) for x in (one, other)]
            for name, metric in (("psnr", psnr), ("ssim", ssim)):
                theirs = float(case[f"{name}_y_{kind}border{border}_{number}"])
                assert metric(*pair) == pytest.approx(theirs, rel=1e-7)


def test_colours_come_back_from_ycbcr():
    image = np.random.default_rng(0).uniform(0, 255, (4, 5, 3))
    np.testing.assert_allclose(to_rgb(to_ycbcr(image)), image, atol=1e-9)
    np.testing.assert_allclose(to_ycbcr(image)[..., 0], luma(image))


def test_equal_pictures_have_no_error():
    image = np.random.default_rng(0).uniform(0, 255, (12, 13))
    assert (rmse(image, image), psnr(image, image)) == (0, np.inf)
    assert ssim(image, image) == pytest.approx(1)


def test_pictures_that_cannot_be_compared_are_errors():
    with pytest.raises(ValueError, match=r"same shape, got \[3, 4\] and \[3, 5\]"):
        psnr(np.zeros((3, 4)), np.zeros((3, 5)))
    with pytest.raises(ValueError, match="at least 11 x 11 pixels, got 10 x 20"):
        ssim(np.zeros((10, 20)), np.zeros((10, 20)))
    with pytest.raises(ValueError, match="leave something of 6 x 9 pixels, got 3"):
        shaved(np.zeros((6, 9)), 3)
