"""Sources of label maps, their faults, and what becomes of them on the way to a batch."""

import json
import pathlib

import cv2
import fill
import numpy as np
import pytest
from PIL import Image

from jaxvision.data.augment.object_crop import ObjectCrop
from jaxvision.data.border_weights import BorderWeights, border_weights, nearest_two
from jaxvision.data.errors import DataError
from jaxvision.data.label_map import class_table, decode_label_map, encode_label_map
from jaxvision.data.pixel_frequency import frequency_weights, pixel_counts
from jaxvision.data.sample import VOID, Sample
from jaxvision.data.segmentation import segmentation_source
from jaxvision.data.segmentation_examples import (
    SegmentationEvalExample,
    segmentation_train_example,
)

CAMVID = pathlib.Path(__file__).parents[3] / "shared" / "data" / "camvid"
PALETTE = np.random.default_rng(0).integers(0, 256, (256, 3), np.uint8)


def write_mask(path, label_map, palette=True):
    path.parent.mkdir(parents=True, exist_ok=True)
    if palette:
        path.write_bytes(encode_label_map(label_map, PALETTE))
    else:
        Image.fromarray(label_map.astype(np.uint8)).save(path)


def write_image(path, size=(12, 16)):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((*size, 3), 90, np.uint8))


def label_map(seed=0, classes=3, size=(12, 16)):
    return np.random.default_rng(seed).integers(0, classes, size).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Two images of train and one of val, one mask of a palette and two grey ones."""
    for i, split in enumerate(("train", "train", "val")):
        write_image(tmp_path / "images" / split / f"{i}.jpg")
        write_mask(tmp_path / "masks" / split / f"{i}.png", label_map(i), palette=i == 0)
    (tmp_path / "classes.txt").write_text("background\ncat\ndog\nvoid\n")
    return tmp_path


def opened(path, split="train", source="folder", **options):
    return segmentation_source(source, str(path), split, **options)


def test_palette_and_grey_files_are_read_as_class_numbers(folder):
    source = opened(folder)
    assert source.classes == ("background", "cat", "dog")
    for i in range(2):
        np.testing.assert_array_equal(source[i].mask, label_map(i))
    assert (len(source), source.dense, source.annotation(0)[:2]) == (2, True, (12, 16))


def test_void_is_named_or_255(folder):
    marked = label_map(0)
    marked[0, 0], marked[0, 1] = 3, 255
    write_mask(folder / "masks" / "train" / "0.png", marked)
    found = opened(folder)[0].mask
    assert found[0, 0] == found[0, 1] == VOID


def test_other_layouts(tmp_path, folder):
    for split in ("train", "val"):
        (folder / split).mkdir()
        (folder / "images" / split).rename(folder / split / "images")
        (folder / "masks" / split).rename(folder / split / "masks")
    assert len(opened(folder)) == 2
    (folder / "train" / "images").rename(folder / "t")
    (folder / "train" / "masks").rename(folder / "t_labels")
    assert len(opened(folder, "t", "camvid")) == 2


def test_a_mask_of_another_size_names_its_file(folder):
    write_mask(folder / "masks" / "train" / "1.png", label_map(1, size=(6, 8)))
    with pytest.raises(DataError, match=r"masks/train/1.png: the label map is 8 x 6 pixels"):
        opened(folder)[1]


def test_an_image_without_its_mask_is_named(folder):
    (folder / "masks" / "train" / "1.png").unlink()
    with pytest.raises(DataError, match=r"images/train/1.jpg: there is no label map .*1 of 2"):
        opened(folder)


def test_numbers_beyond_the_classes_name_the_file(folder):
    wrong = label_map(1)
    wrong[:3] = 7
    write_mask(folder / "masks" / "train" / "1.png", wrong)
    message = r"1.png: the label map holds 7 \(25.0% .* 3 classes; known are 0 to 3, 255"
    with pytest.raises(DataError, match=message):
        opened(folder)[1]


def test_colours_and_grey_values_of_a_palette_are_no_classes(folder):
    path = folder / "masks" / "train" / "0.png"
    colours = PALETTE[label_map(0)]
    Image.fromarray(colours).save(path)
    with pytest.raises(DataError, match="0.png: a label map must be a palette or grey PNG"):
        opened(folder)[0]
    # What OpenCV reads of a palette file, were it saved again.
    Image.fromarray(cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY)).save(path)
    with pytest.raises(DataError, match="export the palette's indices if the file holds the grey"):
        opened(folder)[0]
    path.write_bytes(b"no picture")
    with pytest.raises(DataError, match="0.png: not a readable label map"):
        opened(folder)[0]


def test_names_of_classes_are_needed_and_void_comes_last(folder):
    (folder / "classes.txt").write_text("void\ncat\ndog\n")
    with pytest.raises(DataError, match="void must come last"):
        opened(folder)
    (folder / "classes.txt").write_text("cat\ndog\n")
    with pytest.raises(DataError, match="the classes must be background, cat, got cat, dog"):
        opened(folder, classes=("background", "cat"))
    (folder / "classes.txt").unlink()
    with pytest.raises(DataError, match="classes.txt: no such file"):
        opened(folder)
    assert opened(folder, classes=("a", "b", "c")).classes == ("a", "b", "c")
    with pytest.raises(DataError, match="no images of the split test"):
        opened(folder, "test", classes=("a",))
    with pytest.raises(ValueError, match="shapes, folder, camvid, voc, cityscapes, coco"):
        opened(folder, source="nothing")


def test_voc(tmp_path):
    write_image(tmp_path / "JPEGImages" / "a.jpg")
    marked = label_map(0, 21)
    marked[0] = 255
    write_mask(tmp_path / "SegmentationClass" / "a.png", marked)
    file = tmp_path / "ImageSets" / "Segmentation" / "train.txt"
    file.parent.mkdir(parents=True)
    file.write_text("a\n")
    source = opened(tmp_path, source="voc")
    np.testing.assert_array_equal(source[0].mask, marked)
    assert (len(source.classes), source.classes[15]) == (21, "person")
    file.write_text("a\nb\n")
    write_image(tmp_path / "JPEGImages" / "b.jpg")
    with pytest.raises(DataError, match=r"SegmentationClass/b.png: the label map is missing"):
        opened(tmp_path, source="voc")


@pytest.mark.parametrize("kind", ["labelIds", "labelTrainIds"])
def test_cityscapes(tmp_path, kind):
    write_image(tmp_path / "leftImg8bit" / "train" / "bonn" / "bonn_1_leftImg8bit.png")
    numbers = np.array([[7, 33, 0, 29]] if kind == "labelIds" else [[0, 18, 255, 255]], np.uint8)
    mask = tmp_path / "gtFine" / "train" / "bonn" / f"bonn_1_gtFine_{kind}.png"
    write_mask(mask, np.tile(numbers, (12, 4)), palette=False)
    source = opened(tmp_path, source="cityscapes")
    assert source[0].mask[0, :4].tolist() == [0, 18, VOID, VOID]
    assert (len(source.classes), source.classes[18]) == (19, "bicycle")
    mask.unlink()
    with pytest.raises(DataError, match="bonn_1_leftImg8bit.png: its label map"):
        opened(tmp_path, source="cityscapes")


def test_objects_of_coco_become_classes_and_the_smaller_one_is_seen(tmp_path):
    write_image(tmp_path / "train" / "a.jpg", (20, 30))

    def square(number, category, x1, y1, x2, y2, crowd=0):
        outline = [x1, y1, x2, y1, x2, y2, x1, y2]
        box = [x1, y1, x2 - x1, y2 - y1]
        area = box[2] * box[3]
        return dict(
            id=number, image_id=1, category_id=category, bbox=box, area=area, iscrowd=crowd,
            segmentation=[outline],
        )  # fmt: skip

    found = dict(
        images=[dict(id=1, file_name="a.jpg", height=20, width=30)],
        categories=[dict(id=5, name="cat"), dict(id=9, name="dog")],
        annotations=[
            square(1, 9, 4, 4, 8, 8),
            square(2, 5, 2, 2, 12, 12),
            square(3, 5, 0, 0, 30, 5, crowd=1),
        ],
    )
    (tmp_path / "train.json").write_text(json.dumps(found))
    source = opened(tmp_path, "train.json", "coco")
    mask = source[0].mask
    assert source.classes == ("background", "cat", "dog")
    assert (mask[6, 6], mask[10, 10], mask[18, 20], mask[2, 20]) == (2, 1, 0, VOID)
    assert opened(tmp_path, "train.json", "coco", classes=source.classes).classes == source.classes
    with pytest.raises(DataError, match="the first class must be background, got cat"):
        opened(tmp_path, "train.json", "coco", classes=("cat", "dog"))


def test_weights_of_classes_are_the_median_frequency_over_theirs(folder):
    maps = [np.array([[0, 0, 0, 1]]), np.array([[0, 0, 2, 255]])]
    for i, each in enumerate(maps):
        write_image(folder / "images" / "train" / f"{i}.jpg", (1, 4))
        write_mask(folder / "masks" / "train" / f"{i}.png", each.astype(np.uint8))
    source = opened(folder)
    counts = pixel_counts(source)
    assert counts.by_class.tolist() == [5, 1, 1]
    assert (counts.in_images.tolist(), counts.void) == ([7, 4, 3], 1)
    frequency = np.array([5 / 7, 1 / 4, 1 / 3])
    expected = np.median(frequency) / frequency
    np.testing.assert_allclose(frequency_weights(source, "median_frequency"), expected)
    np.testing.assert_allclose(
        frequency_weights(source, "sqrt_median_frequency"), np.sqrt(expected)
    )
    with pytest.raises(ValueError, match="rule must be one of median_frequency"):
        frequency_weights(source, "inverse")


@pytest.mark.slow
@pytest.mark.skipif(not CAMVID.exists(), reason="needs CamVid in shared/data")
def test_weights_of_camvid_are_those_of_its_label_maps():
    expected = [0.279, 0.202, 4.79, 0.149, 1.00, 0.422, 3.85, 1.97, 0.789, 6.37, 8.86]
    found = frequency_weights(opened(CAMVID, source="camvid"), "median_frequency")
    np.testing.assert_allclose(found, expected, rtol=5e-3)


def test_shapes_draw_label_maps_that_fit_their_pictures():
    source = segmentation_source("shapes", None, "train", length=3, image_size=64)
    sample = source[0]
    assert source.classes == ("background", "circle", "square", "star", "triangle")
    assert sample.objects is None and sample.mask.shape == (64, 64)
    assert 0 < sample.mask.max() < 5


def test_training_examples_keep_pixels_and_labels_together():
    source = segmentation_source("shapes", None, "train", length=4, image_size=64)

    class Painted:
        """The label map as a picture: what moves one must move the other."""

        classes = source.classes

        def __getitem__(self, index):
            sample = source[index]
            image = np.repeat(sample.mask[:, :, None] * 50, 3, axis=2)
            return sample.replace(image=image)

    example = segmentation_train_example(Painted(), (48, 80), scale=(0.5, 2.0), elastic=2.0)
    void = 0
    for seed in range(8):
        row = example(seed % 4, np.random.default_rng(seed))
        assert row["image"].shape == (48, 80, 3) and row["label_map"].shape == (48, 80)
        assert row["label_map"].dtype == np.int32
        inside = row["label_map"] != VOID
        void += int((~inside).sum())
        # Pixels that are interpolated between classes may be nearer to another one.
        distance = row["image"][inside][:, 0].astype(int) - 50 * row["label_map"][inside]
        assert (np.abs(distance) <= 25).mean() > 0.9
        assert (row["image"][~inside] == 114).mean() > 0.7 if (~inside).any() else True
    assert void


def test_object_crops_show_one_object_and_leave_the_rest_to_the_background():
    mask = np.zeros((60, 80), np.uint8)
    mask[10:30, 20:40], mask[12:20, 40:44] = 1, 2
    mask[5, 5], mask[40:50, 50:70], mask[40:42, 50:70] = 2, 3, 255  # the first is too small
    sample = Sample(np.repeat(mask[..., None], 3, axis=-1), 0, mask=mask)
    found = set()
    for seed in range(20):
        part = ObjectCrop(extent=1.2, least=20)(sample, np.random.default_rng(seed))
        kind = int(part.mask.max(where=part.mask != 255, initial=0))
        sizes = {1: (24, 24), 2: (10, 4), 3: (10, 24)}  # 1.2 times the box, which void ends
        assert part.size == part.mask.shape == sizes[kind]
        assert set(np.unique(part.mask)) <= {0, kind, 255}
        np.testing.assert_array_equal(part.mask == kind, part.image[..., 0] == kind)
        found.add(kind)
    assert found == {1, 2, 3}
    empty = sample.replace(mask=np.zeros_like(mask))
    assert ObjectCrop()(empty, np.random.default_rng(0)) is empty


def test_eval_examples_are_padded_with_void():
    source = segmentation_source("shapes", None, "val", length=1, image_size=64)
    row = SegmentationEvalExample(source, (32, 48))(0)
    assert (row["label_map"][:, 32:] == VOID).all() and (row["label_map"][:, :32] != VOID).all()
    assert (row["image"][:, 32:] == 114).all() and "truth" not in row
    whole = SegmentationEvalExample(source, (32, 48), full_size=True)(0)
    np.testing.assert_array_equal(whole["truth"], source[0].mask)


def test_border_weights_match_reference():
    case = fill.load_case("unet_weight_map")
    weights = border_weights(case["instances"])
    for ours, theirs in zip(
        (weights, *nearest_two(case["instances"])),
        (case["weights"], case["d1"], case["d2"]),
        strict=True,
    ):
        assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()


def test_border_weights_of_a_label_map_part_the_areas_of_a_class():
    found = np.zeros((20, 30), np.uint8)
    found[5:15, 3:13], found[5:15, 15:25], found[0] = 1, 1, VOID
    weights = BorderWeights()(found)
    assert weights.dtype == np.float32
    assert weights[10, 13] > 5 and weights[10, 29] < 1.5
    assert (BorderWeights()(np.zeros((4, 4), np.uint8)) == 1).all()


def test_a_written_file_has_indices_and_colours():
    data = encode_label_map(label_map(), PALETTE)
    np.testing.assert_array_equal(decode_label_map(data, "x"), label_map())
    colours = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(colours, PALETTE[label_map()])
    assert class_table(3)[[0, 2, 3, 255]].tolist() == [0, 2, -1, VOID]
