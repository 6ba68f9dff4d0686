"""Anchor sizes from the objects of a dataset."""

import numpy as np
import pytest

from jaxvision.data.errors import DataError
from jaxvision.data.sample import Sample, image_objects
from jaxvision.data.source import Source
from jaxvision.recipes.anchors import fitting_anchors, object_sizes

COARSE = [[[100, 120], [150, 200], [300, 250]]]


class Boxes(Source):
    """Blank images of 100 x 200 pixels with one object each."""

    classes = ("cat",)

    def __init__(self, sizes):
        self.sizes = sizes

    def __len__(self):
        return len(self.sizes)

    def __getitem__(self, index):
        width, height = self.sizes[index]
        objects = image_objects([(5, 5, 5 + width, 5 + height)])
        return Sample(np.zeros((100, 200, 3), np.uint8), index, objects)


def test_sizes_are_those_in_the_networks_input():
    found = object_sizes(Boxes([(20, 10), (1, 50), (40, 80)]), 400)
    np.testing.assert_allclose(found, [[40, 20], [2, 100], [80, 160]])
    # The second is thinner than two pixels here.
    np.testing.assert_allclose(object_sizes(Boxes([(20, 10), (1, 50)]), 200), [[20, 10]])


def test_anchors_that_match_are_kept():
    found = fitting_anchors(Boxes([(50, 60), (75, 90), (140, 99)]), COARSE, 400)
    assert found.anchors == COARSE
    assert "match 100.0% of the objects and are kept" in found.message


def test_other_objects_get_anchors_of_their_own():
    rng = np.random.default_rng(0)
    centers = np.array([(6, 3), (12, 20), (50, 9)])
    sizes = np.concatenate([c * rng.uniform(0.9, 1.1, (40, 2)) for c in centers])
    found = fitting_anchors(Boxes(sizes.tolist()), COARSE, 200)
    assert "match 0.0% of the objects, fitted ones 100.0%" in found.message
    # Ascending by area.
    np.testing.assert_allclose(found.anchors, [[centers[0], centers[1], centers[2]]], rtol=0.15)
    assert fitting_anchors(Boxes(sizes.tolist()), COARSE, 200) == found


def test_too_few_objects():
    with pytest.raises(DataError, match="at least 3 objects of 2 pixels or more, got 1"):
        fitting_anchors(Boxes([(20, 10)]), COARSE, 200)


def test_fitted_anchors_replace_those_that_match():
    rng = np.random.default_rng(0)
    centers = np.array([(20, 25), (38, 45), (70, 50)])
    sizes = np.concatenate([c * rng.uniform(0.9, 1.1, (40, 2)) for c in centers])
    data, given = Boxes(sizes.tolist()), [[[30.0, 30.0], [60.0, 60.0], [90.0, 90.0]]]
    assert fitting_anchors(data, given, 200).anchors == given
    found = fitting_anchors(data, given, 200, keep=False)
    np.testing.assert_allclose(found.anchors, [centers], rtol=0.15)
