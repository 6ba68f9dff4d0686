import numpy as np
import pytest

from jaxvision.data.batch import DetectionBatch
from jaxvision.data.detection_samples import (
    DetectionEvalSample,
    DetectionTrainSample,
    pad_objects,
)
from jaxvision.data.example import DetectionExample
from jaxvision.data.pipeline import EvalStream, TrainStream
from jaxvision.data.sources.shapes import Shapes


class _OneImage:
    """A source of one 40 x 80 picture with the given boxes."""

    classes = ("a", "b")

    def __init__(self, boxes, crowd=None):
        self.boxes = np.array(boxes, np.float32).reshape(-1, 4)
        self.crowd = np.zeros(len(self.boxes), bool) if crowd is None else np.array(crowd)
        self.max_objects = len(self.boxes)

    def __len__(self):
        return 1

    def __getitem__(self, index):
        image = np.zeros((40, 80, 3), np.uint8)
        image[:, :20] = (200, 30, 30)
        classes = np.arange(len(self.boxes), dtype=np.int32) % 2
        return DetectionExample(image, self.boxes, classes, self.crowd, self.boxes[:, 2] + 0.5)

    def name(self, index):
        return "one"

    def describe(self, max_objects=None):
        return ""


RNG = np.random.default_rng


def test_training_sample_without_chance_is_a_letterbox():
    source = _OneImage([[0, 0, 20, 40], [40, 10, 80, 30]])
    sample = DetectionTrainSample(source, (32, 32), max_objects=5, flip=0.0, hsv=0.0)(0, RNG(0))
    # 80 x 40 pixels become 32 x 12.8, cut to 32 x 16: the scale is 0.4.
    np.testing.assert_allclose(sample["boxes"][:2], [[0, 0, 8, 16], [16, 4, 32, 12]])
    assert sample["valid"].tolist() == [True, True, False, False, False]
    assert (sample["boxes"][2:] == 0).all() and sample["classes"].tolist() == [0, 1, 0, 0, 0]
    assert sample["image"].shape == (32, 32, 3)
    assert (sample["image"][16:] == 114).all() and (sample["image"][:16, :7, 0] == 200).all()
    assert sample["index"] == 0 and sample["index"].dtype == np.int32


def test_flip_moves_boxes_within_the_picture_not_the_padding():
    source = _OneImage([[0, 0, 20, 20]])
    sample = DetectionTrainSample(source, (64, 40), flip=1.0, hsv=0.0)(0, RNG(0))
    np.testing.assert_allclose(sample["boxes"][0], [30, 0, 40, 10])
    # A tall input would be padded to the right; the padding stays there.
    sample = DetectionTrainSample(source, (20, 64), flip=1.0, hsv=0.0)(0, RNG(0))
    np.testing.assert_allclose(sample["boxes"][0], [30, 0, 40, 10])
    assert (sample["image"][:, 40:] == 114).all()
    assert (sample["image"][:10, 31:40, 0] == 200).all()


def test_colour_does_not_reach_the_padding():
    source = _OneImage([])
    for seed in range(10):
        sample = DetectionTrainSample(source, (32, 32))(0, RNG(seed))
        assert (sample["image"][16:] == 114).all()


def test_crowds_are_never_trained_on():
    source = _OneImage([[0, 0, 20, 40], [40, 10, 80, 30]], crowd=[True, False])
    sample = DetectionTrainSample(source, (40, 80), flip=0.0)(0, RNG(0))
    assert sample["valid"].sum() == 1 and sample["classes"][0] == 1
    np.testing.assert_allclose(sample["boxes"][0], [40, 10, 80, 30])


def test_objects_of_at_most_a_pixel_are_left_out():
    source = _OneImage([[0, 0, 2, 40], [0, 0, 2.2, 40]])
    sample = DetectionTrainSample(source, (20, 40), flip=0.0)(0, RNG(0))
    assert sample["valid"].sum() == 1 and sample["classes"][0] == 1


@pytest.mark.parametrize("boxes", [[], [[0, 0, 1, 1]]])
def test_images_left_without_objects_are_legal(boxes):
    sample = DetectionTrainSample(_OneImage(boxes), (20, 40), max_objects=3)(0, RNG(0))
    assert not sample["valid"].any() and sample["boxes"].shape == (3, 4)
    assert sample["boxes"].dtype == np.float32 and sample["classes"].dtype == np.int32


def test_more_objects_than_room_keeps_the_first():
    source = _OneImage([[0, 0, 10 + k, 20] for k in range(5)])
    sample = DetectionTrainSample(source, (40, 80), max_objects=3, flip=0.0)(0, RNG(0))
    assert sample["valid"].all()
    assert sample["boxes"][:, 2].tolist() == [10, 11, 12]


def test_sources_arrays_are_not_written_to():
    source = _OneImage([[0, 0, 20, 40]])
    for seed in range(5):
        DetectionTrainSample(source, (40, 80))(0, RNG(seed))
    np.testing.assert_array_equal(source.boxes, [[0, 0, 20, 40]])


def test_evaluation_keeps_crowds_areas_and_small_objects():
    source = _OneImage([[0, 0, 1, 1], [40, 10, 80, 30]], crowd=[False, True])
    sample = DetectionEvalSample(source, (32, 32))(0)
    assert sample["scale"] == np.float32(0.4) and sample["scale"].dtype == np.float32
    np.testing.assert_allclose(sample["boxes"], [[0, 0, 0.4, 0.4], [16, 4, 32, 12]], rtol=1e-6)
    assert sample["crowd"].tolist() == [False, True] and sample["valid"].all()
    assert sample["area"].tolist() == [1.5, 80.5]


def test_evaluation_refuses_to_lose_objects():
    source = _OneImage([[0, 0, 9, 9]] * 4)
    with pytest.raises(ValueError, match="at least 4.*got 3"):
        DetectionEvalSample(source, (32, 32), max_objects=3)
    assert DetectionEvalSample(source, (32, 32), max_objects=6)(0)["valid"].sum() == 4


def test_evaluation_without_any_object_has_one_row():
    assert DetectionEvalSample(_OneImage([]), (32, 32))(0)["valid"].tolist() == [False]


def test_pad_objects():
    padded = pad_objects(3, boxes=np.ones((2, 4), np.float32), crowd=np.array([True, True]))
    assert padded["boxes"].sum() == 8 and padded["crowd"].tolist() == [True, True, False]
    assert padded["valid"].tolist() == [True, True, False]


def test_streams_carry_the_batch_contract():
    source = Shapes(6, image_size=64)
    train = TrainStream(
        DetectionTrainSample(source, (64, 96)), 6, batch_size=2, seed=0, num_workers=1
    )
    batches = train.batches()
    batch = next(batches)
    batches.close()
    required = DetectionBatch.__required_keys__
    assert set(batch) == required
    assert batch["image"].shape == (2, 64, 96, 3) and batch["boxes"].shape == (2, 120, 4)

    for batch in EvalStream(DetectionEvalSample(source, (64, 96)), 6, batch_size=4, num_workers=0):
        assert set(batch) == required | DetectionBatch.__optional_keys__
        kinds = {name: array.dtype.name for name, array in batch.items()}
        assert kinds == {
            "image": "uint8", "boxes": "float32", "classes": "int32", "valid": "bool",
            "index": "int32", "scale": "float32", "crowd": "bool", "area": "float32",
            "mask": "bool",
        }  # fmt: skip
        assert batch["valid"].shape == (4, 6) and not batch["valid"][~batch["mask"]].any()


def test_shapes_stream_is_equal_across_workers_and_resume():
    sample = DetectionTrainSample(Shapes(20, image_size=48), (64, 64))

    def take(num_workers, start, count):
        stream = TrainStream(sample, 20, batch_size=4, seed=3, num_workers=num_workers)
        batches = stream.batches(start)
        result = [{k: v.tobytes() for k, v in next(batches).items()} for _ in range(count)]
        batches.close()
        return result

    straight = take(0, 0, 8)
    assert take(4, 0, 8) == straight
    assert take(1, 3, 5) == straight[3:]
