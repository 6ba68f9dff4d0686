import colorsys

import numpy as np

from jaxvision.data.augment.photometric import PhotometricDistortion
from jaxvision.data.sample import Sample, image_objects

IMAGE = np.random.default_rng(0).integers(60, 180, (8, 6, 3), np.uint8)


class _Draws:
    """Gives out what the test says: which changes are made, then their amounts."""

    def __init__(self, *flags, amounts):
        self.flags, self.amounts = flags, list(amounts)

    def random(self, count=None):
        return 0.0 if count is None else np.where(self.flags, 0.4, 0.6)

    def uniform(self, low, high):
        value = self.amounts.pop(0)
        assert low <= value <= high
        return value


def changed(*flags, amounts=(20, 1.2, 0.8, 18)):
    sample = Sample(IMAGE, 0, image_objects([(1, 1, 4, 5)]))
    found = PhotometricDistortion()(sample, _Draws(*flags, amounts=amounts))
    np.testing.assert_array_equal(found.objects.boxes, sample.objects.boxes)
    assert found.image.dtype == np.uint8
    return found.image.astype(np.float64)


def test_each_change_by_itself():
    image = IMAGE.astype(np.float64)
    np.testing.assert_array_equal(changed(0, 0, 0, 0, 0), image)
    np.testing.assert_array_equal(changed(1, 0, 0, 0, 0), image + 20)
    np.testing.assert_allclose(changed(0, 1, 0, 0, 1), np.minimum(image * 1.2, 255), atol=0.51)
    hsv = np.array([colorsys.rgb_to_hsv(*pixel) for pixel in image.reshape(-1, 3)])
    less = [colorsys.hsv_to_rgb(h, 0.8 * s, v) for h, s, v in hsv]
    np.testing.assert_allclose(changed(0, 0, 1, 0, 0).reshape(-1, 3), less, atol=3)
    turned = [colorsys.hsv_to_rgb(h + 18 / 360, s, v) for h, s, v in hsv]
    np.testing.assert_allclose(changed(0, 0, 0, 1, 0).reshape(-1, 3), turned, atol=4)


def test_contrast_comes_before_or_after_the_colours():
    amounts = (0, 1.5, 0.5, 0)
    before, after = (changed(0, 1, 1, 0, first, amounts=amounts) for first in (1, 0))
    # Values above 255 are cut off before the saturation falls, or after.
    assert (before <= after + 3).all() and (before < after - 3).any()


def test_half_of_the_images_get_each_change():
    sample = Sample(IMAGE, 0)
    transform = PhotometricDistortion(0.5)
    same = sum(
        np.array_equal(transform(sample, np.random.default_rng(i)).image, IMAGE) for i in range(200)
    )
    # Half, and a sixteenth of the others.
    assert 90 < same < 140
