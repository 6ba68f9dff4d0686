import numpy as np
import pytest

from jaxvision.data.rows import classification_row, detection_row
from jaxvision.data.sample import Sample, concatenate, image_objects
from jaxvision.data.source import Source, read_reduced
from jaxvision.data.sources.cached import Cached
from jaxvision.data.sources.shapes import Shapes
from jaxvision.data.transforms import Either, Pipeline, drop_crowds, read

IMAGE = np.zeros((6, 8, 3), np.uint8)


def test_defaults_of_objects():
    objects = image_objects([[1, 2, 4, 6], [0, 0, 8, 2]])
    assert objects.area.tolist() == [12, 16] and objects.classes.tolist() == [0, 0]
    kinds = [objects.boxes, objects.classes, objects.crowd, objects.area]
    assert [array.dtype.name for array in kinds] == ["float32", "int32", "bool", "float32"]
    assert len(image_objects([])) == 0 and image_objects([]).boxes.shape == (0, 4)


def test_objects_are_taken_and_joined_with_their_masks():
    masks = np.arange(2 * 48).reshape(2, 6, 8) % 5 == 0
    one = image_objects([[1, 2, 4, 6], [0, 0, 8, 2]], [3, 1], [True, False], masks=masks)
    assert one.trained().classes.tolist() == [1] and one.take(slice(1)).crowd.tolist() == [True]
    np.testing.assert_array_equal(one.trained().masks, masks[1:])
    both = concatenate([one, one.take(np.array([1]))])
    assert both.classes.tolist() == [3, 1, 1] and both.masks.shape == (3, 6, 8)
    assert concatenate([one, image_objects([[0, 0, 1, 1]])]).masks is None


def test_sizes_of_clips_and_targets():
    sample = Sample(np.zeros((5, 6, 8, 3), np.uint8), 0, target=np.zeros((12, 16, 1), np.uint8))
    assert sample.size == (6, 8) and sample.target_factor == 2
    assert Sample(IMAGE, 0).target_factor == 1


class _Minimal(Source):
    """No more than a dataset needs."""

    classes = ("a", "b")
    max_objects = 2

    def __len__(self):
        return 3

    def __getitem__(self, index):
        objects = image_objects([[0, 0, 4, 4], [2, 2, 8, 6]], [0, 1], [True, False])
        return Sample(IMAGE + index, index, objects, proposals=np.ones((1, 4), np.float32))


def test_a_source_has_defaults():
    source = _Minimal()
    found = source.annotation(2)
    assert (found.height, found.width) == (6, 8) and len(found.objects) == 2
    assert found.proposals.shape == (1, 4)
    image, reduction = source.image(2, 8)
    assert reduction == 1 and (image == 2).all()
    assert source.known_objects(0) is None and source.label(0) is None
    assert source.encoded(0).startswith(b"\x89PNG") and "[1]" in source.name(1)
    assert source.repaired() == [] and "3 images; 2 classes" in source.describe()
    assert read_reduced(source, 1, 4).objects is None
    source.dense = True
    assert len(read_reduced(source, 1, 4).objects) == 2


def test_a_cache_keeps_whole_samples():
    source = Shapes(3, image_size=32, masks=True, label_map=True)
    cached = Cached(source, 3 * 32 * 32 * 10)
    assert cached.dense and cached.max_objects == 6 and cached.classes == source.classes
    first = cached[1]
    assert cached[1] is first and cached.image(1)[0] is first.image
    np.testing.assert_array_equal(first.objects.masks, source[1].objects.masks)
    for array in (first.image, first.mask, first.objects.masks):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    small = Cached(source, 1)
    assert small[0] is not small[0], "what does not fit is read each time"


def test_readers_and_transforms_in_sequence():
    seen = []

    def brighter(sample, rng):
        seen.append(sample.index)
        return sample.replace(image=sample.image + 10)

    pipeline = Pipeline(Pipeline(read, (drop_crowds, brighter)), (brighter,))
    sample = pipeline(_Minimal(), 1, np.random.default_rng(0))
    assert seen == [1, 1] and (sample.image == 21).all() and len(sample.objects) == 1
    rng = np.random.default_rng(0)
    either = Either(0.25, pipeline)
    bright = [either(_Minimal(), 1, rng).image[0, 0, 0] == 21 for _ in range(2000)]
    assert abs(np.mean(bright) - 0.25) < 0.04


def test_a_row_of_another_task():
    with pytest.raises(ValueError, match="example 4 has no objects; use a detection dataset"):
        detection_row(Sample(IMAGE, 4), 5)
    with pytest.raises(ValueError, match="example 4 has no label; use a classification dataset"):
        classification_row(Sample(IMAGE, 4))
