import numpy as np
import pytest

from jaxvision.data.imresize import imresize, rounded, upscaled
from jaxvision.data.ycbcr import luma
from jaxvision.metrics.image_quality import psnr, shaved
from jaxvision.metrics.super_resolution import SuperResolutionQuality

RNG = np.random.default_rng(0)


def measured(name="", grey=False, mask=True, y=None):
    high = RNG.integers(0, 256, (1, 24, 30, 3), np.uint8)
    high = high[..., :1].repeat(3, -1) if grey else high
    low = imresize(high[0], 1 / 3)[None]
    found = high + RNG.normal(0, 5, high.shape).astype(np.float32)
    found = found[..., :1].repeat(3, -1) if grey else found
    batch = {
        "image": low,
        "target": high,
        "index": np.zeros(1, np.int32),
        "mask": np.array([mask]),
        "truth": [name],
    }
    metric = SuperResolutionQuality.from_model_output(image=found, y=y, batch=batch, border=3)
    return metric, found[0], high[0], low[0]


def test_values_are_those_of_y_rounded_without_a_border():
    metric, found, high, low = measured()
    y, truth, bicubic = (
        shaved(rounded(luma(x.astype(np.float64))), 3)
        for x in (rounded(found), high, upscaled(low, 3))
    )
    values = metric.compute()
    assert values["psnr_y"] == pytest.approx(psnr(y, truth))
    assert values["bicubic_psnr_y"] == pytest.approx(psnr(bicubic, truth))
    assert values["gain_y"] == pytest.approx(psnr(y, truth) - psnr(bicubic, truth))


def test_a_grey_picture_is_measured_by_its_own_levels():
    metric, found, high, _ = measured(grey=True)
    one, other = (shaved(x[..., 0].astype(np.float64), 3) for x in (rounded(found), high))
    assert metric.compute()["psnr_y"] == pytest.approx(psnr(one, other), abs=0.02)


def test_sets_are_averaged_apart():
    metrics = [measured(name)[0] for name in ("set5", "set14", "set5")]
    merged = SuperResolutionQuality.empty()
    for metric in metrics:
        merged = merged.merge(metric)
    one, other, two = (m.pictures[0].values["psnr_y"] for m in metrics)
    values = merged.compute()
    assert values["set5/psnr_y"] == pytest.approx((one + two) / 2)
    assert values["set14/psnr_y"] == pytest.approx(other)
    assert not measured(mask=False)[0].pictures
    with pytest.raises(ValueError, match="one or more batches, got none"):
        SuperResolutionQuality.empty().compute()
