import numpy as np

from jaxvision.data.example import LazyDetectionSource
from jaxvision.data.sources.shapes import shapes
from jaxvision.data.sources.subset import Subset


def test_a_subset_has_the_chosen_images_in_order():
    whole = shapes("train", length=5, image_size=64)
    subset = Subset(whole, [4, 1])
    assert isinstance(subset, LazyDetectionSource)
    assert len(subset) == 2 and subset.classes == whole.classes
    for index, other in ((0, 4), (1, 1)):
        assert subset.name(index) == whole.name(other)
        np.testing.assert_array_equal(subset[index].image, whole[other].image)
        np.testing.assert_array_equal(subset.image(index)[0], whole[other].image)
        np.testing.assert_array_equal(subset.annotation(index).boxes, whole[other].boxes)
    assert "2 of 5 images" in subset.describe()
