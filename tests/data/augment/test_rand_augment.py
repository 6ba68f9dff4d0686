import math

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from jaxvision.data.augment.rand_augment import LEVELS, OPERATIONS, SIGNED, RandAugment
from jaxvision.data.sample import Sample


def apply(name, image, strength, fill=0):
    return OPERATIONS[name](Sample(image, 0), strength, fill).image


def picture(seed=0, low=20, high=200):
    rng = np.random.default_rng(seed)
    small = rng.integers(low, high, (6, 8, 3)).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(small).resize((40, 30), Image.BICUBIC))
    return np.clip(smooth.astype(int) + rng.integers(-9, 9, smooth.shape), 0, 255).astype(np.uint8)


def by_pillow(image, name, strength):
    """What torchvision's RandAugment does to a Pillow image, with 31 levels."""
    pillow = Image.fromarray(image)
    enhancers = {
        "brightness": ImageEnhance.Brightness,
        "color": ImageEnhance.Color,
        "contrast": ImageEnhance.Contrast,
        "sharpness": ImageEnhance.Sharpness,
    }
    if name in enhancers:
        out = enhancers[name](pillow).enhance(1.0 + 0.9 * strength)
    elif name == "posterize":
        out = ImageOps.posterize(pillow, 8 - round(strength * (LEVELS - 1) / ((LEVELS - 1) / 4)))
    elif name == "solarize":
        out = ImageOps.solarize(pillow, 255.0 - 255.0 * strength)
    elif name in ("autocontrast", "equalize"):
        out = getattr(ImageOps, name)(pillow)
    else:
        assert name == "identity"
        out = pillow
    return np.asarray(out)


@pytest.mark.parametrize("name", [n for n in OPERATIONS if "_" not in n and n != "rotate"])
@pytest.mark.parametrize("level", [0, 3, 9, 17, 30])
@pytest.mark.parametrize("sign", [1, -1])
def test_colours_equal_those_of_pillow(name, level, sign):
    if sign < 0 and name not in SIGNED:
        return
    for image in (picture(), picture(1, 90, 110), np.full((9, 7, 3), 77, np.uint8)):
        strength = sign * level / (LEVELS - 1)
        ours = apply(name, image.copy(), strength)
        theirs = by_pillow(image, name, strength)
        assert ours.dtype == np.uint8
        # Rounded here, cut off there, and the grey values too.
        tolerance = 2 if name in ("brightness", "color", "contrast", "sharpness") else 0
        assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= tolerance


@pytest.mark.parametrize("strength", [0.3, -0.5])
@pytest.mark.parametrize("name", ["shear_x", "shear_y", "translate_x", "translate_y", "rotate"])
def test_geometry_moves_a_point_where_the_formula_says(name, strength):
    height, width = 120, 160
    x, y = 70.0, 50.0
    rows, columns = np.mgrid[:height, :width]
    blob = 255 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 18)
    image = np.repeat(np.rint(blob).astype(np.uint8)[..., None], 3, axis=2)
    out = apply(name, image, strength)[..., 0].astype(float)
    found = (out * columns).sum() / out.sum(), (out * rows).sum() / out.sum()
    angle = math.radians(30 * strength)
    dx, dy = x - 79.5, y - 59.5
    expected = {
        "shear_x": (x + 0.3 * strength * y, y),
        "shear_y": (x, y + 0.3 * strength * x),
        "translate_x": (x + int(150 / 331 * width * strength), y),
        "translate_y": (x, y + int(150 / 331 * height * strength)),
        # Counter-clockwise on the screen, whose y points down.
        "rotate": (
            79.5 + math.cos(angle) * dx + math.sin(angle) * dy,
            59.5 - math.sin(angle) * dx + math.cos(angle) * dy,
        ),
    }[name]
    np.testing.assert_allclose(found, expected, atol=0.15)


def test_draws_every_operation_in_both_directions():
    calls = []

    def recording(name):
        return lambda sample, strength, fill: calls.append((name, strength)) or sample

    rng = np.random.default_rng(0)
    original = dict(OPERATIONS)
    try:
        OPERATIONS.update({name: recording(name) for name in original})
        for _ in range(1000):
            RandAugment(operations=2, magnitude=9)(Sample(picture(), 0), rng)
    finally:
        OPERATIONS.update(original)
    assert len(calls) == 2000
    strengths = {name: {s for n, s in calls if n == name} for name in original}
    for name, found in strengths.items():
        assert found == ({0.3, -0.3} if name in SIGNED else {0.3})
        assert 90 < sum(n == name for n, _ in calls) < 200
    assert len(original) == 14


def test_strengths_spread_and_operations_are_skipped(monkeypatch):
    strengths = []

    def recording(sample, strength, fill):
        strengths.append(strength)
        return sample

    for name in OPERATIONS:
        monkeypatch.setitem(OPERATIONS, name, recording)
    augment = RandAugment(2, 27, deviation=1.5, probability=0.5)
    rng = np.random.default_rng(0)
    for _ in range(1000):
        augment(Sample(picture(), 0), rng)
    assert 900 < len(strengths) < 1100
    magnitudes = np.abs(strengths) * (LEVELS - 1)
    assert abs(magnitudes.mean() - 27) < 0.2 and abs(magnitudes.std() - 1.5) < 0.1
    assert magnitudes.max() == 30


def test_fill_and_shape():
    out = apply("translate_x", picture(), 1.0, 128)
    assert (out[:, :18] == 128).all()
    assert RandAugment()(Sample(picture(), 0), np.random.default_rng(1)).image.shape == (30, 40, 3)


def test_wrong_numbers():
    with pytest.raises(ValueError, match=r"magnitude must be in \[0, 30\], got 31"):
        RandAugment(magnitude=31)
    with pytest.raises(ValueError, match=r"operations must be in \[0, 100\]"):
        RandAugment(operations=-1)
    with pytest.raises(ValueError, match="deviation must be at least 0, got -1"):
        RandAugment(deviation=-1)
    with pytest.raises(ValueError, match=r"probability must be in \[0, 1\], got 2"):
        RandAugment(probability=2)
