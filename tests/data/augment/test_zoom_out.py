import numpy as np
import pytest

from jaxvision.data.augment.geometry import FILL
from jaxvision.data.augment.zoom_out import ZoomOut
from jaxvision.data.sample import Sample, image_objects


def test_boxes_move_with_the_image():
    image = np.random.default_rng(0).integers(0, 99, (6, 10, 3), np.uint8)
    sample = Sample(image, 0, image_objects([(1, 2, 4, 5), (0, 0, 10, 6)]))
    sizes = set()
    for seed in range(20):
        found = ZoomOut(1.0)(sample, np.random.default_rng(seed))
        (x1, y1, x2, y2) = found.objects.boxes[1].astype(int)
        np.testing.assert_array_equal(found.image[y1:y2, x1:x2], image)
        np.testing.assert_array_equal(found.objects.boxes[0], [x1 + 1, y1 + 2, x1 + 4, y1 + 5])
        height, width = found.size
        assert (found.image != FILL).any(axis=2).sum() == 60
        assert abs(height / 6 - width / 10) < 0.2 and 6 <= height <= 24
        sizes.add((height, width))
    assert len(sizes) > 10


def test_probability_and_range():
    sample = Sample(np.zeros((4, 4, 3), np.uint8), 0)
    rng = np.random.default_rng(0)
    same = sum(ZoomOut()(sample, rng) is sample for _ in range(200))
    assert 80 < same < 120
    with pytest.raises(ValueError, match=r"largest must be in \[1, 16\], got 0.5"):
        ZoomOut(largest=0.5)
