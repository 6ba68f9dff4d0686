import numpy as np
import pytest

from jaxvision.data.augment.elastic import Elastic
from jaxvision.data.augment.scale_crop import ScaleCrop
from jaxvision.data.sample import VOID, Sample, image_objects


def sample(height=20, width=30):
    """A picture whose label map is its red channel."""
    mask = (np.add.outer(np.arange(height) // 5, np.arange(width) // 5) % 3).astype(np.uint8)
    return Sample(np.repeat(mask[:, :, None], 3, axis=2) * 40, 0, mask=mask)


def test_an_image_that_fits_is_only_shifted():
    found = ScaleCrop((20, 30), (1.0, 1.0))(sample(), np.random.default_rng(0))
    np.testing.assert_array_equal(found.mask, sample().mask)
    np.testing.assert_array_equal(found.image, sample().image)


def test_a_small_image_lies_in_a_void_frame_at_random():
    places = set()
    for seed in range(20):
        found = ScaleCrop((20, 30), (0.5, 0.5))(sample(), np.random.default_rng(seed))
        inside = found.mask != VOID
        assert inside.sum() == 10 * 15
        assert (found.image[~inside] == 114).all()
        places.add(tuple(np.argwhere(inside)[0]))
    assert len(places) > 10


def test_a_large_one_is_cut():
    found = ScaleCrop((20, 30), (2.0, 2.0))(sample(), np.random.default_rng(0))
    assert found.mask.shape == (20, 30) and (found.mask != VOID).all()
    assert {0, 1, 2} >= set(np.unique(found.mask))


def test_scales_are_drawn_from_their_whole_range():
    shares = []
    for seed in range(60):
        found = ScaleCrop((20, 30), (0.5, 1.0))(sample(), np.random.default_rng(seed))
        shares.append((found.mask != VOID).mean())
    assert min(shares) < 0.3 and max(shares) > 0.9


def test_elastic_moves_image_and_label_map_alike_and_nothing_without_deviation():
    still = Elastic(0.0, 8)(sample(), np.random.default_rng(0))
    np.testing.assert_array_equal(still.mask, sample().mask)
    moved = Elastic(3.0, 8)(sample(), np.random.default_rng(1))
    inside = moved.mask != VOID
    assert (moved.mask != sample().mask).mean() > 0.1
    distance = moved.image[inside][:, 0].astype(int) - 40 * moved.mask[inside]
    assert (np.abs(distance) <= 20).mean() > 0.85


def test_wrong_values_are_errors():
    with pytest.raises(ValueError, match="scale must be two numbers, low <= high, got"):
        ScaleCrop((8, 8), (2.0, 1.0))
    with pytest.raises(ValueError, match="deviation must be at least 0"):
        Elastic(-1.0)
    with pytest.raises(ValueError, match="an image and its label map alone"):
        Elastic()(sample().replace(objects=image_objects([])), np.random.default_rng(0))
