import numpy as np
import pytest
from PIL import Image

from jaxvision.data.augment.fixed_crop import CenterCrop, PadCrop
from jaxvision.data.augment.random_resized_crop import RandomResizedCrop, ReadCrop, Window
from jaxvision.data.classification import classification_source
from jaxvision.data.classification_examples import (
    classification_eval_example,
    classification_train_example,
)
from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.plans.shuffled import Shuffled
from jaxvision.data.sample import Sample
from jaxvision.data.sources.labelled import LabelledArrays
from jaxvision.data.stream import Stream


def numbered(height, width):
    """An image whose pixels tell where they are."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, rows + columns], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("shape", [(48, 64), (64, 48), (33, 200), (50, 51)])
def test_center_crop_equals_pillow_and_the_formula_of_torchvision(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    shorter, longer = min(shape), max(shape)
    scaled = int(40 * longer / shorter)
    width, height = (40, scaled) if shape[1] == shorter else (scaled, 40)
    resized = np.asarray(Image.fromarray(image).resize((width, height), Image.BILINEAR))
    top, left = int(round((height - 32) / 2.0)), int(round((width - 32) / 2.0))
    np.testing.assert_array_equal(
        CenterCrop((32, 32), resize=40)(Sample(image, 0)).image,
        resized[top : top + 32, left : left + 32],
    )


def test_center_crop_frames_a_small_image_in_black():
    image = np.full((28, 28, 3), 9, np.uint8)
    out = CenterCrop((32, 32))(Sample(image, 0)).image
    np.testing.assert_array_equal(out[2:30, 2:30], image)
    assert out.sum() == image.sum()
    np.testing.assert_array_equal(CenterCrop((28, 28))(Sample(image, 0)).image, image)


def test_pad_crop_shifts_by_up_to_the_padding_and_fills_with_black():
    image = numbered(32, 32) + 1
    crop, rng = PadCrop((32, 32), 4), np.random.default_rng(0)
    seen = set()
    framed = np.zeros((40, 40, 3), np.uint8)
    framed[4:36, 4:36] = image
    for _ in range(300):
        out = crop(Sample(image, 0), rng).image
        matches = [
            (y, x)
            for y in range(9)
            for x in range(9)
            if (framed[y : y + 32, x : x + 32] == out).all()
        ]
        assert len(matches) == 1
        seen.add(matches[0])
    assert {y for y, _ in seen} == {x for _, x in seen} == set(range(9))


def test_random_resized_crop_draws_areas_and_shapes_as_stated():
    crop, rng = RandomResizedCrop((32, 32)), np.random.default_rng(0)
    windows = [crop.window(300, 400, rng) for _ in range(3000)]
    areas = np.array([w.height * w.width / 120_000 for w in windows])
    aspects = np.array([w.width / w.height for w in windows])
    assert areas.min() > 0.079
    assert areas.max() <= 1
    assert (aspects > 0.74).all()
    assert (aspects < 1.35).all()
    # A window fits if its area is at most 0.75 of its aspect ratio: with u the logarithm of that,
    # the mean area is the mean of (0.75 exp u)^2 - 0.08^2 by twice that of 0.75 exp u - 0.08.
    u = np.linspace(np.log(3 / 4), np.log(4 / 3), 1001)
    mean = ((0.75 * np.exp(u)) ** 2 - 0.08**2).mean() / (2 * (0.75 * np.exp(u) - 0.08).mean())
    np.testing.assert_allclose(areas.mean(), mean, rtol=0.03)
    for w in windows:
        assert 0 <= w.top <= 300 - w.height
        assert 0 <= w.left <= 400 - w.width


def test_random_resized_crop_of_a_strip_takes_the_widest_allowed_middle():
    crop, rng = RandomResizedCrop((8, 8), area=(1.0, 1.0)), np.random.default_rng(0)
    assert crop.window(30, 300, rng) == Window(0, 130, 30, 40)
    assert crop.window(300, 30, rng) == Window(130, 0, 40, 30)
    assert crop.window(1, 1, rng) == Window(0, 0, 1, 1)


def test_cut_of_the_right_size_changes_no_pixel():
    image = numbered(40, 50)
    out = RandomResizedCrop((16, 20)).cut(Sample(image, 0), Window(5, 7, 16, 20))
    np.testing.assert_array_equal(out.image, image[5:21, 7:27])


@pytest.mark.parametrize(
    ("window", "expected"), [((64, 64), 2), ((63, 200), 1), ((300, 255), 4), ((20, 20), 1)]
)
def test_reduction_leaves_as_many_pixels_as_the_result_has(window, expected):
    assert RandomResizedCrop((32, 32)).reduction(Window(0, 0, *window)) == expected


@pytest.fixture
def jpeg_source(tmp_path, write_image):
    for label in ("a", "b"):
        write_image(f"train/{label}/0.jpg", 256, 192)
    return classification_source("image_folder", str(tmp_path), "train")


def test_decoding_at_a_part_of_the_size_shows_the_same_part(jpeg_source):
    crop = RandomResizedCrop((24, 24), area=(0.5, 1.0))
    for seed in range(5):
        rng = np.random.default_rng(seed)
        window = crop.window(192, 256, np.random.default_rng(seed))
        assert crop.reduction(window) == 4
        reduced = ReadCrop(crop)(jpeg_source, 1, rng)
        assert reduced.label == 1
        full = crop.cut(jpeg_source[1], window)
        assert np.abs(reduced.image.astype(int) - full.image.astype(int)).max() <= 6


def arrays(labels):
    return LabelledArrays("set", ("a", "b", "c"), labels, numbered(32, 32)[None].repeat(2, 0))


def test_sample_is_a_function_of_its_generator():
    sample = classification_train_example(arrays(np.int32([2, 0])), (32, 32), crop="pad")
    one, two, other = (sample(0, np.random.default_rng(s)) for s in (5, 5, 6))
    np.testing.assert_array_equal(one["image"], two["image"])
    assert (one["image"] != other["image"]).any()
    assert one["label"].dtype == np.int32
    assert (one["label"], one["index"]) == (2, 0)


def test_flip_happens_as_often_as_said():
    sample = classification_train_example(
        arrays(np.int32([2, 0])), (32, 32), crop="pad", padding=0, flip=0.3
    )
    rng = np.random.default_rng(0)
    image = numbered(32, 32)
    flipped = 0
    for _ in range(400):
        out = sample(0, rng)["image"]
        if (out != image).any():
            np.testing.assert_array_equal(out, image[:, ::-1])
            flipped += 1
    assert 90 < flipped < 150


def test_multi_label_images_have_targets():
    source = arrays(np.float32([[1, 0, 1], [0, 0, 0]]))
    row = classification_eval_example(source, (32, 32))(0)
    assert set(row) == {"image", "targets", "index"}
    np.testing.assert_array_equal(row["targets"], [1, 0, 1])
    np.testing.assert_array_equal(row["image"], numbered(32, 32))


def test_wrong_numbers():
    with pytest.raises(ValueError, match="area must be in"):
        RandomResizedCrop((8, 8), area=(0.5, 1.5))
    with pytest.raises(ValueError, match="aspect must be two"):
        RandomResizedCrop((8, 8), aspect=(2.0, 1.0))
    with pytest.raises(ValueError, match="resize must be in"):
        CenterCrop((8, 8), resize=0)
    with pytest.raises(ValueError, match="crop must be one of resized, pad, got 'center'"):
        classification_train_example(arrays(np.int32([2, 0])), (8, 8), crop="center")


def test_streams_carry_the_batch_contract():
    source = arrays(np.int32([2, 0]))
    train = classification_train_example(source, (32, 32), operations=2)
    (batch,) = Stream(Shuffled(2, 2), train)
    assert set(batch) == {"image", "label", "index"} and batch["label"].dtype == np.int32
    (batch,) = Stream(InOrder(2, 3), classification_eval_example(source, (16, 16), resize=20))
    assert batch["image"].shape == (3, 16, 16, 3) and batch["mask"].tolist() == [True, True, False]
    assert batch["label"].tolist() == [2, 0, 0]
