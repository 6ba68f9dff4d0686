import functools

import literal
import numpy as np
import pytest
from faster_coco_eval.core import mask as coco_mask

from jaxvision.data.augment.affine import RandomAffine
from jaxvision.data.augment.color import ColorJitter, HSVGain
from jaxvision.data.augment.crop import RandomCrop
from jaxvision.data.augment.erasing import Cutout, RandomErasing
from jaxvision.data.augment.flip import VerticalFlip
from jaxvision.data.augment.letterbox import Letterbox
from jaxvision.data.batch import DetectionBatch
from jaxvision.data.boxes import of_masks
from jaxvision.data.detection_examples import (
    DetectionEvalExample,
    detection_reader,
    detection_train_example,
)
from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.plans.shuffled import Shuffled
from jaxvision.data.rows import detection_row, pad_objects
from jaxvision.data.sample import Sample, image_objects
from jaxvision.data.source import Annotation, Source
from jaxvision.data.sources.proposed import Proposed
from jaxvision.data.sources.shapes import Shapes
from jaxvision.data.stream import Stream
from jaxvision.data.transforms import Example


def train_example(source, image_size, max_objects=120, **options):
    """As `detection_train_example`, of objects in place of words and numbers."""
    row = functools.partial(detection_row, max_objects=max_objects)
    return Example(source, detection_reader(image_size, **options), row)


class _OneImage(Source):
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
        area = self.boxes[:, 2] + 0.5
        return Sample(image, index, image_objects(self.boxes, classes, self.crowd, area))


RNG = np.random.default_rng


def test_training_sample_without_chance_is_a_letterbox():
    source = _OneImage([[0, 0, 20, 40], [40, 10, 80, 30]])
    sample = train_example(source, (32, 32), max_objects=5, flip=0.0, hsv=0.0)(0, RNG(0))
    # 80 x 40 pixels become 32 x 12.8, cut to 32 x 16: the scale is 0.4.
    np.testing.assert_allclose(sample["boxes"][:2], [[0, 0, 8, 16], [16, 4, 32, 12]])
    assert sample["valid"].tolist() == [True, True, False, False, False]
    assert (sample["boxes"][2:] == 0).all() and sample["classes"].tolist() == [0, 1, 0, 0, 0]
    assert sample["image"].shape == (32, 32, 3)
    assert (sample["image"][16:] == 114).all() and (sample["image"][:16, :7, 0] == 200).all()
    assert sample["index"] == 0 and sample["index"].dtype == np.int32


def test_flip_moves_boxes_within_the_picture_not_the_padding():
    source = _OneImage([[0, 0, 20, 20]])
    sample = train_example(source, (64, 40), flip=1.0, hsv=0.0)(0, RNG(0))
    np.testing.assert_allclose(sample["boxes"][0], [30, 0, 40, 10])
    # A tall input would be padded to the right; the padding stays there.
    sample = train_example(source, (20, 64), flip=1.0, hsv=0.0)(0, RNG(0))
    np.testing.assert_allclose(sample["boxes"][0], [30, 0, 40, 10])
    assert (sample["image"][:, 40:] == 114).all()
    assert (sample["image"][:10, 31:40, 0] == 200).all()


def test_colour_does_not_reach_the_padding():
    source = _OneImage([])
    for seed in range(10):
        sample = train_example(source, (32, 32))(0, RNG(seed))
        assert (sample["image"][16:] == 114).all()


def test_crowds_are_never_trained_on():
    source = _OneImage([[0, 0, 20, 40], [40, 10, 80, 30]], crowd=[True, False])
    sample = train_example(source, (40, 80), flip=0.0)(0, RNG(0))
    assert sample["valid"].sum() == 1 and sample["classes"][0] == 1
    np.testing.assert_allclose(sample["boxes"][0], [40, 10, 80, 30])


def test_objects_of_at_most_a_pixel_are_dropped():
    source = _OneImage([[0, 0, 2, 40], [0, 0, 2.2, 40]])
    sample = train_example(source, (20, 40), flip=0.0)(0, RNG(0))
    assert sample["valid"].sum() == 1 and sample["classes"][0] == 1


def test_the_least_side_is_an_option():
    source = _OneImage([[0, 0, 16, 40], [0, 0, 16.2, 40]])
    sample = train_example(source, (20, 40), flip=0.0, min_side=8.0)(0, RNG(0))
    assert sample["valid"].sum() == 1 and sample["classes"][0] == 1


def test_crop_comes_before_the_letterbox_and_the_rest_after_it():
    source = _OneImage([[0, 0, 20, 40], [40, 10, 80, 30]])
    seen = []

    def look(sample, rng):
        objects = sample.objects
        seen.append((sample.image.shape, objects.boxes.tolist(), objects.classes.tolist()))
        return sample.replace(objects=objects.take(slice(1)))

    # The crop takes the right half, 40 x 20 pixels at random height: enlarged to fit.
    crop = RandomCrop(1.0, (0.5, 0.5), (1, 1), (0.5,))
    drawn = train_example(source, (60, 80), flip=0.0, crop=crop, extra=(look, look))
    sample = drawn(0, RNG(0))
    (shape, boxes, classes), second = seen
    assert shape == (40, 80, 3) and classes[-1] == 1 and second[1:] == (boxes[:1], classes[:1])
    assert boxes[-1][2] - boxes[-1][0] > 40, "twice as large as in the source"
    assert sample["valid"].sum() == 1 and (sample["image"][40:] == 114).all()


def test_what_is_off_draws_no_random_numbers():
    source = Shapes(4, image_size=48)
    options = dict(mosaic=1.0, mixup=1.0, hsv=0.0)
    plain = train_example(source, (64, 64), **options)
    changed = train_example(
        source, (64, 64), crop=None, cutmix=0.0, extra=(), hsv_gain=True, **options
    )
    for seed in range(4):
        one, two = RNG(seed), RNG(seed)
        plain(0, one), changed(0, two)
        assert one.bit_generator.state == two.bit_generator.state


def test_cutmix_adds_objects_of_another_image():
    pictures = [np.full((64, 64, 3), level, np.uint8) for level in (10, 200)]
    source = literal.Pictures(pictures, [[[0, 0, 8, 8]], [[0, 0, 64, 64]]])
    sample = train_example(source, (64, 64), flip=0.0, hsv=0.0, cutmix=1.0)
    mixed = [sample(0, RNG(seed)) for seed in range(40)]
    # The second image has class 1; the first may be mixed with itself.
    both = [s for s in mixed if s["classes"][:2].tolist() == [0, 1]]
    assert len(both) > 3
    for s in both:
        (x1, y1, x2, y2) = s["boxes"][1].astype(int)
        assert s["valid"].sum() == 2 and (s["image"][y1:y2, x1:x2] == 200).all()


def test_gain_takes_the_place_of_the_shift():
    source = _OneImage([])
    image = train_example(source, (40, 80), flip=0.0, hsv_gain=True)(0, RNG(0))["image"]
    rng = RNG(0)
    np.testing.assert_array_equal(image, HSVGain()(source[0], rng).image)


def test_reduction_is_an_option():
    source = literal.Pictures([np.zeros((256, 256, 3), np.uint8)] * 4, [[[0, 0, 200, 200]]] * 4)
    for allowed, used in ((8, 4), (1, 1)):
        source.read.clear()
        sample = train_example(
            source, (64, 64), mosaic=1.0, mixup=1.0, cutmix=1.0, max_reduction=allowed
        )
        for seed in range(4):
            sample(0, RNG(seed))
        assert max(by for _, by in source.read) == used


def test_images_without_objects_are_legal():
    sample = train_example(_OneImage([]), (20, 40), max_objects=3)(0, RNG(0))
    assert not sample["valid"].any() and sample["boxes"].shape == (3, 4)
    assert sample["boxes"].dtype == np.float32 and sample["classes"].dtype == np.int32


def test_if_no_object_is_large_enough_all_stay_and_colour_and_flip_are_undone():
    source = _OneImage([[0, 0, 1, 1], [0, 0, 0.5, 9]])
    plain = train_example(source, (20, 40), flip=0.0, hsv=0.0)(0, RNG(0))
    for seed in range(5):
        sample = train_example(source, (20, 40), flip=1.0)(0, RNG(seed))
        assert sample["valid"].sum() == 2
        np.testing.assert_allclose(sample["boxes"][:2], [[0, 0, 0.5, 0.5], [0, 0, 0.25, 4.5]])
        np.testing.assert_array_equal(sample["image"], plain["image"])


def test_probabilities_of_mosaic_and_mixup():
    # With one object in each image, a mosaic has four and mixup one more.
    source = Shapes(8, image_size=32)
    source = literal.Pictures([source[i].image for i in range(8)], [[[4, 4, 28, 28]]] * 8)
    still = RandomAffine(0, 0, (0.5, 0.5), 0)

    def objects(**options):
        sample = train_example(source, (64, 64), affine=still, **options)
        return np.array([sample(i % 8, RNG(i))["valid"].sum() for i in range(400)])

    assert set(objects()) == {1}
    assert set(objects(mixup=1.0)) == {1}, "mixup goes with mosaics only"
    # Scaled by half, the whole canvas is seen; what lies beyond it is lost.
    counts = objects(mosaic=0.5)
    assert 0.4 < (counts > 1).mean() < 0.6 and counts.max() == 4
    both = objects(mosaic=1.0, mixup=1.0)
    assert both.max() == 5 and both.mean() > objects(mosaic=1.0).mean() + 0.9


def test_mosaic_of_images_without_objects_is_not_mixed():
    source = literal.Pictures([np.full((8, 8, 3), 9, np.uint8)] * 2, [[], []])
    sample = train_example(source, (16, 16), mosaic=1.0, mixup=1.0)(0, RNG(0))
    assert not sample["valid"].any() and sample["image"].shape == (16, 16, 3)


def test_sources_without_lazy_reading_give_the_same_mosaic():
    drawn = Shapes(8, image_size=48)
    images = [drawn[i] for i in range(8)]

    class Held(literal.Pictures):
        def annotation(self, index):
            return Annotation(48, 48, images[index].objects)

    held = Held([e.image for e in images], [e.objects.boxes for e in images])
    for seed in range(5):
        one, two = (
            train_example(source, (64, 64), mosaic=1.0, mixup=1.0)(3, RNG(seed))
            for source in (drawn, held)
        )
        assert all(one[name].tobytes() == two[name].tobytes() for name in one)


def test_more_objects_than_room_keeps_the_first():
    source = _OneImage([[0, 0, 10 + k, 20] for k in range(5)])
    sample = train_example(source, (40, 80), max_objects=3, flip=0.0)(0, RNG(0))
    assert sample["valid"].all()
    assert sample["boxes"][:, 2].tolist() == [10, 11, 12]


def test_sources_arrays_are_not_written_to():
    source = _OneImage([[0, 0, 20, 40]])
    for seed in range(5):
        train_example(source, (40, 80))(0, RNG(seed))
    np.testing.assert_array_equal(source.boxes, [[0, 0, 20, 40]])


def test_evaluation_keeps_crowds_areas_and_small_objects():
    source = _OneImage([[0, 0, 1, 1], [40, 10, 80, 30]], crowd=[False, True])
    sample = DetectionEvalExample(source, Letterbox((32, 32)))(0)
    assert sample["scale"] == np.float32(0.4) and sample["scale"].dtype == np.float32
    np.testing.assert_allclose(sample["boxes"], [[0, 0, 0.4, 0.4], [16, 4, 32, 12]], rtol=1e-6)
    assert sample["crowd"].tolist() == [False, True] and sample["valid"].all()
    assert sample["area"].tolist() == [1.5, 80.5]


def test_evaluation_refuses_to_lose_objects():
    source = _OneImage([[0, 0, 9, 9]] * 4)
    with pytest.raises(ValueError, match="at least 4.*got 3"):
        DetectionEvalExample(source, Letterbox((32, 32)), max_objects=3)
    assert DetectionEvalExample(source, Letterbox((32, 32)), max_objects=6)(0)["valid"].sum() == 4


def test_evaluation_without_any_object_has_one_row():
    assert DetectionEvalExample(_OneImage([]), Letterbox((32, 32)))(0)["valid"].tolist() == [False]


class _ManySizes(Source):
    """Images of given heights and widths, each with one box over its lower right quarter."""

    classes = ("thing",)
    max_objects = 1

    def __init__(self, sizes):
        self.sizes = sizes

    def __len__(self):
        return len(self.sizes)

    def __getitem__(self, index):
        height, width = self.sizes[index]
        box = np.float32([[width / 2, height / 2, width, height]])
        image = np.full((height, width, 3), index + 1, np.uint8)
        return Sample(image, index, image_objects(box))


def test_rectangular_evaluation_pads_to_the_first_shape_that_holds_an_image():
    sizes = [(48, 64), (64, 48), (30, 100), (64, 64), (1, 64), (96, 128), (63, 64), (49, 64)]
    source = _ManySizes(sizes)
    shapes = ((32, 64), (48, 64), (64, 48), (64, 64))
    sample = DetectionEvalExample(source, Letterbox((64, 64), shapes))
    groups = sample.groups()
    # 30 x 100 becomes 19 x 64; 49 x 64 fits in the square alone.
    assert groups == [[2, 4], [0, 5], [1], [3, 6, 7]]
    square = DetectionEvalExample(source, Letterbox((64, 64)))
    for shape, group in zip(shapes, groups, strict=True):
        for index in group:
            one, two = sample(index), square(index)
            assert one["image"].shape == (*shape, 3)
            # The same pixels and boxes as in the square, with less around them.
            np.testing.assert_array_equal(one["image"], two["image"][: shape[0], : shape[1]])
            assert (two["image"][shape[0] :] == 114).all()
            assert (two["image"][:, shape[1] :] == 114).all()
            for name in ("boxes", "scale", "valid", "area"):
                np.testing.assert_array_equal(one[name], two[name])


def test_shapes_end_with_the_image_size():
    with pytest.raises(ValueError, match=r"must be image_size, \(64, 64\), got \(32, 64\)"):
        DetectionEvalExample(_OneImage([]), Letterbox((64, 64), ((32, 64),)))


def test_pad_objects():
    padded = pad_objects(3, boxes=np.ones((2, 4), np.float32), crowd=np.array([True, True]))
    assert padded["boxes"].sum() == 8 and padded["crowd"].tolist() == [True, True, False]
    assert padded["valid"].tolist() == [True, True, False]


def test_streams_carry_the_batch_contract():
    source = Proposed(Shapes(6, image_size=64), colors=("hsv",), scales=(100,))
    (batch, *_) = Stream(Shuffled(6, 2), train_example(source, (64, 96)))
    required = DetectionBatch.__required_keys__
    assert set(batch) == required
    assert batch["image"].shape == (2, 64, 96, 3) and batch["boxes"].shape == (2, 120, 4)

    for batch in Stream(
        InOrder(6, 4), DetectionEvalExample(source, Letterbox((64, 96)), max_proposals=5)
    ):
        assert set(batch) == required | DetectionBatch.__optional_keys__ - {"masks", "truth"}
        kinds = {name: array.dtype.name for name, array in batch.items()}
        assert kinds == {
            "image": "uint8", "boxes": "float32", "classes": "int32", "valid": "bool",
            "index": "int32", "scale": "float32", "crowd": "bool", "area": "float32",
            "mask": "bool", "proposals": "float32", "proposal_valid": "bool",
        }  # fmt: skip
        assert batch["proposals"].shape == (4, 5, 4)
        assert batch["proposal_valid"][batch["mask"], 0].all()
        assert batch["valid"].shape == (4, 6) and not batch["valid"][~batch["mask"]].any()


EVERYTHING = dict(
    mosaic=0.7,
    mixup=0.7,
    affine=RandomAffine(centered=True, filter_boxes=True),
    hsv_gain=True,
    crop=RandomCrop(),
    cutmix=0.7,
    extra=(
        VerticalFlip(),
        ColorJitter(0.4, 0.4, 0.4),
        RandomErasing(max_covered=0.7),
        Cutout(2, 16, fill="color", max_covered=0.7),
    ),
    min_side=4.0,
)


@pytest.mark.parametrize(
    "options", [{}, dict(mosaic=1.0, mixup=1.0), EVERYTHING], ids=["plain", "mosaic", "everything"]
)
def test_shapes_stream_is_equal_across_workers_and_resume(options):
    source = Shapes(20, image_size=48)
    plain = train_example(source, (64, 64))
    example = train_example(source, (64, 64), **options)

    def take(num_workers, start, count):
        stream = Stream(
            Shuffled(20, 4),
            example,
            seed=3,
            num_workers=num_workers,
            schedule=lambda step: example if step < 6 else plain,
        )
        batches = stream.batches(start)
        result = [{k: v.tobytes() for k, v in next(batches).items()} for _ in range(count)]
        batches.close()
        return result

    straight = take(0, 0, 9)
    assert take(1, 0, 9) == straight
    assert take(3, 0, 9) == straight
    for start in (3, 6, 7):
        assert take(1, start, 9 - start) == straight[start:]


def test_numbers_of_a_config_become_the_same_transforms():
    source = Shapes(8, image_size=48)
    numbers = detection_train_example(
        source,
        (64, 64),
        mosaic=0.7,
        mixup=0.7,
        affine_centered=True,
        filter_boxes=True,
        mosaic_scale=[0.5, 1.5],
        hsv_gain=True,
        crop=6 / 7,
        cutmix=0.7,
        vertical_flip=0.5,
        jitter=0.4,
        erasing=0.5,
        cutout=2,
        min_side=4.0,
    )
    extra = (
        VerticalFlip(),
        ColorJitter(0.4, 0.4, 0.4),
        RandomErasing(max_covered=0.8),
        Cutout(2, 8, max_covered=0.8),
    )
    affine = RandomAffine(scale=(0.5, 1.5), centered=True, filter_boxes=True)
    objects = train_example(source, (64, 64), **(EVERYTHING | dict(affine=affine, extra=extra)))
    assert numbers.read == objects.read


def test_the_last_epochs_have_no_mixed_images():
    source = Shapes(8, image_size=48)
    mixed = dict(mosaic=1.0, mixup=1.0, cutmix=1.0)
    last = detection_train_example(source, (64, 64), no_aug=True, vertical_flip=0.5, **mixed)
    assert last.read == detection_train_example(source, (64, 64), vertical_flip=0.5).read
    assert last.read != detection_train_example(source, (64, 64), vertical_flip=0.5, **mixed).read


def test_masks_are_trained_at_the_inputs_size_and_measured_at_their_own():
    source = Shapes(3, image_size=64, masks=True)
    train = detection_train_example(source, (96, 96), 8, masks=True, flip=0.0, hsv=0.0)
    (batch, *_) = Stream(Shuffled(3, 3), train)
    assert batch["masks"].shape == (3, 8, 96, 96) and batch["masks"].dtype == bool
    for boxes, masks, valid in zip(batch["boxes"], batch["masks"], batch["valid"], strict=True):
        assert not masks[~valid].any()
        np.testing.assert_allclose(of_masks(masks[valid]), boxes[valid], atol=1)

    (batch,) = Stream(InOrder(3, 4), DetectionEvalExample(source, Letterbox((96, 96)), masks=True))
    assert "masks" not in batch
    for i in range(3):
        truth, objects = batch["truth"][i], source[i].objects
        assert truth.size == (64, 64)
        for runs, mask in zip(truth.runs, objects.masks, strict=True):
            np.testing.assert_array_equal(coco_mask.decode(runs), mask)
    with pytest.raises(ValueError, match="has no masks; use data with instance masks"):
        DetectionEvalExample(Shapes(3, image_size=64), Letterbox((64, 64)), masks=True)(0)
