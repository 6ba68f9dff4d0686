"""Everything that a sample carries moves with its pixels, on drawn data whose masks are known."""

import dataclasses

import cv2
import numpy as np
import pytest

from jaxvision.data import boxes as boxes_of
from jaxvision.data.augment import geometry
from jaxvision.data.augment.affine import AffineWarp, RandomAffine
from jaxvision.data.augment.color import ColorJitter, HSVGain, HSVShift
from jaxvision.data.augment.crop import RandomCrop
from jaxvision.data.augment.cutmix import CutMix
from jaxvision.data.augment.erasing import Cutout, RandomErasing
from jaxvision.data.augment.fixed_crop import CenterCrop, PadCrop
from jaxvision.data.augment.flip import HorizontalFlip, VerticalFlip
from jaxvision.data.augment.letterbox import Fit, Letterbox
from jaxvision.data.augment.mixup import Mixup
from jaxvision.data.augment.mosaic import Mosaic
from jaxvision.data.augment.rand_augment import OPERATIONS, RandAugment
from jaxvision.data.augment.random_resized_crop import RandomResizedCrop, ReadCrop
from jaxvision.data.sample import VOID, Sample, image_objects
from jaxvision.data.source import Source
from jaxvision.data.sources.shapes import Shapes
from jaxvision.data.transforms import Pipeline, read

RNG = np.random.default_rng
FACTOR = 3


class Everything(Source):
    """Shapes with masks, label map, a target of three times the size, and proposals.

    The image is smooth, so that the target is the image enlarged and can be compared; a proposal
    is the box of each object in the picture, in its order.
    """

    dense = True

    def __init__(self, length=8, size=96, masks=True):
        self._shapes = Shapes(length, image_size=size, masks=masks, label_map=True)
        self.classes, self.max_objects = self._shapes.classes, self._shapes.max_objects

    def __len__(self):
        return len(self._shapes)

    def __getitem__(self, index):
        sample = self._shapes[index]
        image = cv2.GaussianBlur(sample.image, (0, 0), 3)
        height, width = sample.size
        target = cv2.resize(image, (FACTOR * width, FACTOR * height))
        return sample.replace(image=image, target=target, proposals=sample.objects.boxes)


SOURCE = Everything()


def painted(sample, size):
    """The label map that the instance masks of a sample make."""
    result = np.zeros(size, np.int64)
    for mask, label in zip(sample.objects.masks, sample.objects.classes, strict=True):
        result[mask] = label + 1
    return result


def assert_consistent(sample, *, dropped=False, tolerance=1.0):
    """The box of every mask is the box, the label map shows the masks, the target the image.

    Args:
        sample: What was moved.
        dropped: Whether objects may have been dropped that the label map still shows.
        tolerance: Pixels between a box and that of its mask.
    """
    boxes, masks = sample.objects.boxes, sample.objects.masks
    assert masks.shape == (len(boxes), *sample.size) and masks.dtype == bool
    assert boxes.dtype == np.float32 and len(sample.objects.classes) == len(boxes)
    np.testing.assert_allclose(boxes_of.of_masks(masks), boxes, atol=tolerance)
    shown = painted(sample, sample.size)
    known = (shown > 0) if dropped else (sample.mask != VOID)
    np.testing.assert_array_equal(sample.mask[known], shown[known])
    height, width = sample.size
    assert sample.target.shape == (FACTOR * height, FACTOR * width, 3)
    small = cv2.resize(sample.target, (width, height), interpolation=cv2.INTER_AREA)
    off = np.abs(small.astype(int) - sample.image).max(2)
    # Edges of the picture against what surrounds it may fall otherwise.
    assert np.median(off) <= 2 and (off <= 12).mean() > 0.93


GEOMETRIC = [
    HorizontalFlip(1.0),
    VerticalFlip(1.0),
    AffineWarp(RandomAffine(scale=(0.6, 1.5), degrees=40, shear=15)),
    RandomCrop(1.0),
    PadCrop((80, 90), 12),
    PadCrop((128, 110), 4),
    CenterCrop((64, 70), resize=80),
    CenterCrop((120, 110)),
    Fit((60, 200)),
    Letterbox((150, 120)),
    RandomResizedCrop((48, 56)),
    RandomResizedCrop((144, 120), area=(0.3, 1.0)),
]


def operation(name):
    """One of RandAugment's, in either direction."""

    def apply(sample, rng):
        return OPERATIONS[name](sample, 0.7 * rng.choice([-1, 1]), 0)

    return apply


MOVING = ["shear_x", "shear_y", "translate_x", "translate_y", "rotate"]


@pytest.mark.parametrize(
    "transform",
    [*GEOMETRIC, *map(operation, MOVING)],
    ids=[*(type(each).__name__ for each in GEOMETRIC), *MOVING],
)
def test_all_moves_with_the_pixels(transform):
    objects = 0
    for index in range(len(SOURCE)):
        sample = SOURCE[index]
        before = [array.copy() for array in (sample.image, sample.mask, sample.objects.masks)]
        moved = transform(sample, RNG(index))
        # Where pixels are skipped, so may be the tip of a star that is thinner than one.
        skips = isinstance(transform, Fit | Letterbox | RandomResizedCrop | CenterCrop)
        assert_consistent(
            moved, dropped=isinstance(transform, RandomCrop), tolerance=1.5 if skips else 1.0
        )
        assert moved.proposals.shape == sample.proposals.shape
        objects += len(moved.objects)
        for array, same in zip(
            (sample.image, sample.mask, sample.objects.masks), before, strict=True
        ):
            np.testing.assert_array_equal(array, same)
    assert objects > 5


@pytest.mark.parametrize("transform", GEOMETRIC, ids=lambda each: type(each).__name__)
def test_proposals_move_as_boxes_without_masks(transform):
    source = Everything(masks=False)
    for index in range(len(source)):
        moved = transform(source[index], RNG(index))
        # Objects may be dropped, proposals stay: those with extent are the objects' boxes.
        regions = moved.proposals[boxes_of.nonempty(moved.proposals)]
        for box in moved.objects.boxes[boxes_of.nonempty(moved.objects.boxes)]:
            assert (np.abs(regions - box).max(1) < 1e-3).any()
        assert (moved.proposals >= 0).all()


@pytest.mark.parametrize(
    "transform", [*GEOMETRIC, RandAugment(3, 15)], ids=lambda t: type(t).__name__
)
def test_boxes_without_masks_hold_the_moved_masks(transform):
    """A box that is moved by its corners is around the mask that is moved by its pixels."""
    for index in range(len(SOURCE)):
        full = transform(SOURCE[index], RNG(index))
        sample = SOURCE[index]
        bare = sample.replace(objects=sample.objects.moved(sample.objects.boxes))
        moved = transform(bare, RNG(index))
        np.testing.assert_array_equal(moved.image, full.image)
        if len(moved.objects) == len(full.objects):
            tight = boxes_of.of_masks(full.objects.masks)
            seen = boxes_of.nonempty(tight)
            assert (moved.objects.boxes[seen, :2] <= tight[seen, :2] + 1).all()
            assert (moved.objects.boxes[seen, 2:] >= tight[seen, 2:] - 1).all()


@pytest.mark.parametrize("transform", GEOMETRIC, ids=lambda each: type(each).__name__)
def test_the_target_moves_as_an_image_of_its_own(transform):
    """The target of the result is the result for the enlarged picture, where sizes allow that."""
    for index in range(4):
        moved = transform(SOURCE[index], RNG(index))
        height, width = moved.size
        enlarged = cv2.resize(moved.image, (FACTOR * width, FACTOR * height))
        off = np.abs(enlarged.astype(int) - moved.target).max(2)
        assert np.median(off) <= 3 and (off <= 16).mean() > 0.9


@pytest.mark.parametrize(
    "transform",
    [*GEOMETRIC, HSVShift(), HSVGain(), ColorJitter(0.5, 0.5, 0.5), RandAugment(3), Cutout(2, 20),
     RandomErasing(1.0), RandomErasing(1.0, fill="mean")],
    ids=lambda each: type(each).__name__,
)  # fmt: skip
def test_all_frames_of_a_clip_get_one_draw(transform):
    for index in range(4):
        sample = SOURCE[index]
        clip = sample.replace(image=np.stack([sample.image] * 3))
        one, frames = transform(sample, RNG(index)), transform(clip, RNG(index))
        assert frames.image.shape == (3, *one.image.shape) and frames.size == one.size
        for frame in frames.image:
            np.testing.assert_array_equal(frame, one.image)
        np.testing.assert_array_equal(frames.objects.boxes, one.objects.boxes)


READERS = [
    Mosaic((96, 128), RandomAffine(scale=(0.5, 1.2), centered=True)),
    Mosaic((96, 128), RandomAffine(scale=(0.5, 1.2), centered=True, filter_boxes=True)),
    CutMix(Pipeline(transforms=(Fit((90, 110)),))),
    ReadCrop(RandomResizedCrop((64, 72))),
]


@pytest.mark.parametrize("reader", READERS, ids=lambda each: type(each).__name__)
def test_mixed_images_carry_everything(reader):
    objects = 0
    for index in range(len(SOURCE)):
        sample = reader(SOURCE, index, RNG(index))
        dropped = isinstance(reader, CutMix | Mosaic)
        assert_consistent(
            sample, dropped=dropped, tolerance=1.5 if isinstance(reader, ReadCrop) else 1.0
        )
        # Void is there only where no picture is.
        void = sample.mask == VOID
        assert not sample.objects.masks[:, void].any()
        objects += len(sample.objects)
    assert objects > 10


def test_mosaic_boxes_of_masks_are_in_those_of_corners():
    bare = Everything(masks=False)
    mosaic = Mosaic((96, 128), RandomAffine(scale=(0.5, 1.2), centered=True))
    for index in range(len(SOURCE)):
        full, corners = mosaic(SOURCE, index, RNG(index)), mosaic(bare, index, RNG(index))
        np.testing.assert_array_equal(full.image, corners.image)
        np.testing.assert_array_equal(full.mask, corners.mask)
        seen = boxes_of.nonempty(full.objects.boxes)
        assert (corners.objects.boxes[seen, :2] <= full.objects.boxes[seen, :2] + 1).all()
        assert (corners.objects.boxes[seen, 2:] >= full.objects.boxes[seen, 2:] - 1).all()
        assert corners.proposals.shape[1] == 4 and len(corners.proposals) >= len(seen)


def test_mixup_joins_masks_and_leaves_void_where_labels_differ():
    mixup = Mixup(Pipeline(transforms=(Fit((96, 96)),)))
    for index in range(len(SOURCE)):
        first = SOURCE[index]
        sample = mixup(SOURCE, index, RNG(index))
        count = len(first.objects)
        np.testing.assert_array_equal(sample.objects.masks[:count], first.objects.masks)
        np.testing.assert_allclose(
            boxes_of.of_masks(sample.objects.masks), sample.objects.boxes, atol=1
        )
        known = sample.mask != VOID
        assert 0.3 < known.mean() <= 1
        np.testing.assert_array_equal(sample.mask[known], first.mask[known])
        theirs = sample.objects.masks[count:].any(0)
        # Where the other image shows an object, labels agree or the pixel is void.
        shown = painted(sample.replace(objects=sample.objects.take(slice(count, None))), (96, 96))
        assert ((sample.mask[theirs] == VOID) | (sample.mask[theirs] == shown[theirs])).all()
        small = cv2.resize(sample.target, (96, 96), interpolation=cv2.INTER_AREA)
        assert np.median(np.abs(small.astype(int) - sample.image)) <= 2


def test_readers_of_clips():
    class Clips(Everything):
        def __getitem__(self, index):
            sample = super().__getitem__(index)
            return sample.replace(image=np.stack([sample.image] * 2))

    clips = Clips()
    for reader in (*READERS, Mixup(Mosaic((96, 128)))):
        one, frames = reader(SOURCE, 3, RNG(1)), reader(clips, 3, RNG(1))
        for frame in frames.image:
            np.testing.assert_array_equal(frame, one.image)


@pytest.mark.parametrize("transform", [RandomErasing(1.0), Cutout(3, 24)])
def test_hidden_pixels_belong_to_no_object_and_no_class(transform):
    for index in range(len(SOURCE)):
        sample = SOURCE[index]
        hidden = transform(sample, RNG(index))
        void = hidden.mask == VOID
        assert void.any() and (hidden.image[~void] == sample.image[~void]).all()
        assert not hidden.objects.masks[:, void].any()
        np.testing.assert_array_equal(
            hidden.objects.masks[:, ~void], sample.objects.masks[:, ~void]
        )
        np.testing.assert_array_equal(hidden.objects.boxes, sample.objects.boxes)
        assert hidden.target is sample.target


def test_label_maps_of_32_bits_are_moved_exactly():
    sample = SOURCE[0]
    wide = sample.replace(mask=sample.mask.astype(np.int32) * 1_000_003)
    for transform in (*GEOMETRIC, RandAugment(3, 20)):
        one, two = transform(sample, RNG(5)), transform(wide, RNG(5))
        known = one.mask != VOID
        assert two.mask.dtype == np.int32 and (two.mask[~known] == VOID).all()
        np.testing.assert_array_equal(two.mask[known], one.mask[known] * np.int64(1_000_003))


def test_a_grey_target_keeps_its_channel():
    sample = SOURCE[0].replace(target=SOURCE[0].target[..., :1])
    for transform in GEOMETRIC:
        assert transform(sample, RNG(0)).target.shape[2] == 1


def test_crop_by_hand():
    image = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    objects = image_objects([[1, 1, 4, 3], [6, 4, 8, 6]])
    sample = Sample(image, 7, objects, np.int32(2), np.arange(48, dtype=np.uint8).reshape(6, 8))
    part = geometry.crop(sample, 2, 1, 6, 5)
    np.testing.assert_array_equal(part.image, image[1:5, 2:6])
    np.testing.assert_array_equal(part.objects.boxes, [[0, 0, 2, 2], [4, 3, 4, 4]])
    np.testing.assert_array_equal(part.mask[0], [10, 11, 12, 13])
    assert part.index == 7 and part.label == 2
    assert len(geometry.drop_empty(part).objects) == 1


def test_warp_shifts_boxes_with_pixels():
    image = np.zeros((20, 20, 3), np.uint8)
    image[4:8, 5:11] = 200
    sample = Sample(image, 0, image_objects([[5, 4, 11, 8]]))
    # Twice as large about the corner of pixel (0, 0): pixel centres go from x to 2 x + 0.5.
    moved = geometry.warp(sample, np.array([[2, 0, 0.5], [0, 2, 0.5]]), (40, 40), fill=0)
    np.testing.assert_allclose(moved.objects.boxes, [[10, 8, 22, 16]])
    assert (moved.image[9:15, 11:21] == 200).all() and (moved.image[:7] < 3).all()


def test_targets_are_warped_about_the_same_point():
    image, target = np.zeros((20, 20, 3), np.uint8), np.zeros((60, 60, 3), np.uint8)
    image[4:8, 5:11] = target[12:24, 15:33] = 200
    moved = geometry.warp(
        Sample(image, 0, target=target), np.array([[2, 0, 0.5], [0, 2, 0.5]]), (40, 40), fill=0
    )
    # The block covers the pixels 10 to 21 and 8 to 15 of the image, three times that of the target.
    for pixels, factor in ((moved.image, 1), (moved.target, 3)):
        rows, columns = np.flatnonzero(pixels[..., 0].max(1) > 100), pixels[..., 0].max(0) > 100
        assert (rows[0], rows[-1] + 1) == (8 * factor, 16 * factor)
        assert np.flatnonzero(columns)[[0, -1]].tolist() == [10 * factor, 22 * factor - 1]


def test_what_comes_from_nowhere_is_void_and_no_object():
    ones = np.ones((20, 30), np.uint8)
    sample = Sample(
        np.full((20, 30, 3), 9, np.uint8), 0, image_objects([[0, 0, 30, 20]], masks=ones[None] > 0),
        mask=ones,
    )  # fmt: skip
    quarter = np.array([[0.5, 0, 0], [0, 0.5, 0]])
    for moved in (
        Letterbox((40, 40))(sample),
        PadCrop((32, 40), 4)(sample, RNG(0)),
        CenterCrop((32, 40))(sample),
        geometry.warp(sample, quarter, (20, 30)),
        Mosaic((40, 40), RandomAffine(0, 0, (0.3, 0.3), 0))(_One(sample), 0, RNG(0)),
    ):
        inside = moved.mask == 1
        assert (moved.mask[~inside] == VOID).all() and 0 < inside.mean() < 1
        np.testing.assert_array_equal(moved.objects.masks.any(0), inside)
        assert (moved.image[~inside] != 9).all(axis=1).mean() > 0.8


class _One(Source):
    dense = True

    def __init__(self, sample):
        self.sample = sample

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.sample


def test_nearest_equals_pillow():
    from PIL import Image

    array = RNG(0).integers(0, 255, (37, 53), np.uint8)
    for size in ((20, 31), (74, 106), (50, 53), (37, 53), (1, 1)):
        expected = np.asarray(Image.fromarray(array).resize(size[::-1], Image.Resampling.NEAREST))
        np.testing.assert_array_equal(geometry.nearest(array, size), expected)


def test_crowds_are_not_in_mosaics():
    class Crowds(Everything):
        def __getitem__(self, index):
            sample = super().__getitem__(index)
            crowd = np.arange(len(sample.objects)) % 2 == 0
            return sample.replace(objects=dataclasses.replace(sample.objects, crowd=crowd))

    sample = Mosaic((96, 96))(Crowds(), 0, RNG(0))
    assert len(sample.objects) == len(sample.objects.masks) and not sample.objects.crowd.any()
    mixed = Mixup(read)(Crowds(), 0, RNG(0))
    assert len(mixed.objects.masks) == len(mixed.objects)
