import concurrent.futures
import dataclasses
import json
import os

import cv2
import numpy as np
import pytest
from PIL import Image

from jaxvision.data import pack as writer
from jaxvision.data.annotations import from_rows
from jaxvision.data.augment import geometry
from jaxvision.data.classification import classification_source
from jaxvision.data.detection import detection_source
from jaxvision.data.errors import DataError
from jaxvision.data.pack import pack
from jaxvision.data.sample import Sample
from jaxvision.data.source import Source
from jaxvision.data.sources.digits import Digits
from jaxvision.data.sources.files import DetectionFiles
from jaxvision.data.sources.labelled import LabelledArrays
from jaxvision.data.sources.packed import packed
from jaxvision.data.sources.shapes import Shapes

IMAGES = 12


def _source(root, *, fractions: bool) -> DetectionFiles:
    """Noise of various sizes: JPEG, PNG, and one with an EXIF rotation; crowds and areas."""
    rng = np.random.default_rng(0)
    names, sizes, image, boxes = [], [], [], []
    for number in range(IMAGES):
        width, height = int(rng.integers(40, 90)), int(rng.integers(40, 90))
        pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
        name = f"{number}.{'png' if number % 3 else 'jpg'}"
        exif = Image.Exif()
        if number == 3:
            exif[0x0112] = 6
            width, height = height, width
        Image.fromarray(pixels).save(root / name, exif=exif)
        for _ in range(number % 4):
            x1, y1, x2, y2 = np.sort(rng.uniform(-0.1, 1.1, (2, 2)), axis=0).ravel().tolist()
            image.append(number)
            boxes.append([x1, y1, x2, y2] if fractions else [x1 * 40, y1 * 40, x2 * 40, y2 * 40])
        names.append(name)
        sizes.append((width, height))
    total = len(image)
    annotations = from_rows(
        str(root),
        names,
        None if fractions else sizes,
        image=image,
        boxes=boxes,
        classes=rng.integers(0, 3, total),
        crowd=rng.random(total) < 0.3,
        area=None if fractions else np.where(rng.random(total) < 0.5, np.nan, 123.25),
    )
    return DetectionFiles(annotations, ("a", "b", "c"))


@pytest.fixture
def source(tmp_path):
    (tmp_path / "images").mkdir()
    return _source(tmp_path / "images", fractions=False)


@pytest.fixture
def root(source, tmp_path):
    """A packed split, `train`."""
    pack(source, str(tmp_path / "packed" / "train"), file_bytes=40_000)
    return tmp_path / "packed"


def _assert_same(one, two):
    """Compares samples, or what else a source returns, bit for bit."""
    if dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            _assert_same(getattr(one, field.name), getattr(two, field.name))
    elif isinstance(one, tuple):
        for a, b in zip(one, two, strict=True):
            _assert_same(a, b)
    elif one is None:
        assert two is None
    else:
        a, b = np.asarray(one), np.asarray(two)
        assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("fractions", [False, True])
@pytest.mark.parametrize("num_workers", [1, 3])
def test_examples_are_the_same_bit_for_bit(tmp_path, fractions, num_workers):
    source, done = _source(tmp_path, fractions=fractions), []
    written = pack(
        source,
        str(tmp_path / "out" / "train"),
        num_workers=num_workers,
        progress=done.append,
        file_bytes=40_000,
    )
    assert done == list(range(1, IMAGES + 1)) and written.images == IMAGES
    other = detection_source("packed", str(tmp_path / "out"), "train", strict=True)
    assert len(other) == IMAGES and not other.dense
    assert len(list((tmp_path / "out" / "train").glob("*.array_record"))) > 2
    for index in np.random.default_rng(1).permutation(IMAGES).tolist():
        _assert_same(other[index], source[index])
        _assert_same(other.annotation(index), source.annotation(index))
        _assert_same(other.image(index, 4), source.image(index, 4))
        assert other.encoded(index) == source.encoded(index)
        assert (
            other.encoded(index) == (tmp_path / os.path.basename(source.name(index))).read_bytes()
        )
        assert source.name(index) in other.name(index) and f"train[{index}]" in other.name(index)
    assert other.classes == source.classes and other.max_objects == source.max_objects
    counts = source.describe().splitlines()[:2]
    assert other.describe().splitlines() == counts
    objects = sum(len(source[index].objects) for index in range(IMAGES))
    assert written.objects == objects


def test_pictures_that_are_drawn_are_packed_without_loss(tmp_path):
    shapes = Shapes(3, image_size=64)
    pack(shapes, str(tmp_path / "train"))
    other = packed(str(tmp_path), "train")
    for index in range(3):
        _assert_same(other[index], shapes[index])


class _Clips(Source):
    """Clips with a label map of 32 bits, a target and proposals; no classes."""

    dense = True

    def __len__(self):
        return 3

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        return Sample(
            rng.integers(0, 256, (4, 12, 16, 3), np.uint8),
            index,
            mask=rng.integers(0, 70_000, (12, 16), dtype=np.int32),
            target=rng.integers(0, 256, (24, 32, 3), np.uint8),
            proposals=rng.random((index, 4)).astype(np.float32),
        )


def _multi_label():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
    targets = (pixels[:, 0, 0] > 128).astype(np.float32)
    return LabelledArrays("set", ("a", "b", "c"), targets, pixels)


@pytest.mark.parametrize(
    "other",
    [Shapes(4, image_size=48, masks=True, label_map=True), Shapes(4, image_size=48, masks=True),
     Shapes(4, image_size=48, label_map=True), Digits(20), _multi_label(), _Clips()],
    ids=["masks and label map", "masks", "label map", "labels", "targets", "clips"],
)  # fmt: skip
def test_samples_of_any_task_are_the_same_bit_for_bit(tmp_path, other):
    pack(other, str(tmp_path / "train"), num_workers=2)
    again = packed(str(tmp_path), "train")
    assert again.classes == other.classes and len(again) == len(other)
    assert again.dense == other.dense and again.describe()
    _assert_same(again.labels, other.labels)
    for index in np.random.default_rng(0).permutation(len(other)).tolist():
        _assert_same(again[index], other[index])
        found, expected = again.annotation(index), other.annotation(index)
        assert found[:2] == expected[:2]
        _assert_same(found.proposals, expected.proposals)
        _assert_same(again.image(index)[0], other.image(index)[0])
        assert other.name(index) in again.name(index)


def test_labels_are_matched_by_name(tmp_path):
    pack(Digits(20), str(tmp_path / "train"))
    names = tuple("9876543210")
    other = classification_source("packed", str(tmp_path), "train", classes=names)
    assert [names[label] for label in other.labels[:10]] == list("0123456789")
    with pytest.raises(DataError, match="unknown class '9'"):
        packed(str(tmp_path), "train", classes=names[1:])
    pack(_multi_label(), str(tmp_path / "multi"))
    with pytest.raises(DataError, match="targets are of the classes a, b, c, got a, c, b"):
        packed(str(tmp_path), "multi", classes=("a", "c", "b"))


def test_a_packed_dataset_of_another_task(tmp_path):
    pack(_Clips(), str(tmp_path / "clips"))
    with pytest.raises(DataError, match="has no labels"):
        classification_source("packed", str(tmp_path), "clips")
    with pytest.raises(DataError, match="has no objects"):
        detection_source("packed", str(tmp_path), "clips")


def test_masks_shrink_with_their_image(tmp_path):
    shapes = Shapes(3, image_size=64, masks=True, label_map=True)
    pack(shapes, str(tmp_path / "train"), max_side=32)
    other = packed(str(tmp_path), "train")
    for index in range(3):
        small, full = other[index], shapes[index]
        assert small.objects.masks.shape == (len(full.objects), 32, 32)
        np.testing.assert_array_equal(small.mask, geometry.nearest(full.mask, (32, 32)))
        shares = small.objects.masks.mean((1, 2)), full.objects.masks.mean((1, 2))
        np.testing.assert_allclose(*shares, atol=0.01)


class _Changed(_Clips):
    def __init__(self, index, **changes):
        self.index, self.changes = index, changes

    def __getitem__(self, index):
        sample = super().__getitem__(index)
        return sample.replace(**self.changes) if index == self.index else sample


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        (_Changed(2, mask=None), {}, r"\[2\] has a target, proposals, the examples before have"),
        (_Changed(0, target=np.zeros((24, 32, 3))), {}, r"uint8 to be packed, got .* float64"),
        (_Clips(), {"max_side": 8}, "max_side is for images without target, and not for clips"),
    ],
)
def test_what_cannot_be_packed(tmp_path, source, options, words):
    with pytest.raises(ValueError, match=words):
        pack(source, str(tmp_path / "train"), **options)
    assert _entries(tmp_path) == []


def test_threads_read_at_once(root, source):
    other = packed(str(root), "train")
    expected = [source.encoded(index) for index in range(IMAGES)]

    def read(seed):
        order = np.random.default_rng(seed).integers(0, IMAGES, 300).tolist()
        return all(other.encoded(index) == expected[index] for index in order)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(4)))


def test_opening_reads_no_image(root, source, monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", None)
    other = packed(str(root), "train")
    _assert_same(other.annotation(7), source.annotation(7))


def test_given_classes_are_matched_by_name(root, source):
    other = packed(str(root), "train", classes=("c", "x", "a", "b"))
    renamed = np.array([2, 3, 0])
    for index in range(IMAGES):
        np.testing.assert_array_equal(
            other[index].objects.classes, renamed[source[index].objects.classes]
        )


def test_an_unknown_class_is_reported_and_dropped(root, source):
    with pytest.raises(DataError, match="unknown class 'b'; the known classes are a, c"):
        packed(str(root), "train", classes=("a", "c"))
    faults = []
    other = packed(str(root), "train", classes=("a", "c"), on_fault=faults.append)
    assert len(faults) == 1
    for index in range(IMAGES):
        kept = source[index].objects.classes != 1
        np.testing.assert_array_equal(other[index].objects.boxes, source[index].objects.boxes[kept])
        np.testing.assert_array_equal(other[index].objects.crowd, source[index].objects.crowd[kept])


def test_large_images_are_shrunk(tmp_path, write_image):
    pictures = [write_image("wide.png", 100, 61), write_image("small.png", 50, 40)]
    annotations = from_rows(
        str(tmp_path),
        ["wide.png", "small.png"],
        [(100, 61), (50, 40)],
        image=[0, 0, 1],
        boxes=[[10, 20, 30, 50], [50, 0, 100, 61], [1, 2, 3, 4]],
        classes=[0, 0, 0],
        area=[400, float("nan"), float("nan")],
    )
    source = DetectionFiles(annotations, ("a",))
    written = pack(source, str(tmp_path / "out" / "train"), max_side=50)
    other = packed(str(tmp_path / "out"), "train", strict=True)
    assert written.shrunk == 1
    # 61 pixels at half the size are 30.5, rounded to 30.
    assert other[0].image.shape == (30, 50, 3)
    tall = 30 / 61
    expected = [[5, 20 * tall, 15, 50 * tall], [25, 0, 50, 30]]
    np.testing.assert_allclose(other[0].objects.boxes, expected, rtol=1e-6)
    np.testing.assert_allclose(
        other[0].objects.area, [400 * 0.5 * tall, 50 * 61 * 0.5 * tall], rtol=1e-6
    )
    reference = cv2.resize(pictures[0], (50, 30), interpolation=cv2.INTER_AREA)
    assert np.abs(other[0].image.astype(int) - reference).max() <= 8
    assert other.encoded(0).startswith(b"\xff\xd8")
    np.testing.assert_array_equal(other[1].image, pictures[1])
    _assert_same(other[1], source[1])


def _entries(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_damaged_image_ends_packing_and_leaves_nothing(source, tmp_path):
    (tmp_path / "images" / "7.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"7\.png"):
        pack(source, str(tmp_path / "packed" / "train"), num_workers=2)
    assert _entries(tmp_path / "packed") == []


@pytest.mark.parametrize("exception", [KeyboardInterrupt, OSError])
def test_an_interrupted_pack_leaves_what_was_there(root, source, exception):
    before = {path.name: path.read_bytes() for path in (root / "train").iterdir()}

    def interrupt(done):
        if done == 5:
            raise exception

    with pytest.raises(exception):
        pack(source, str(root / "train"), overwrite=True, progress=interrupt)
    assert _entries(root) == ["train"]
    assert {path.name: path.read_bytes() for path in (root / "train").iterdir()} == before


def test_an_existing_split_is_replaced_only_on_demand(root, tmp_path):
    shapes = Shapes(2, image_size=32)
    with pytest.raises(ValueError, match="exists; pass --overwrite"):
        pack(shapes, str(root / "train"))
    pack(shapes, str(root / "train"), overwrite=True)
    assert len(packed(str(root), "train")) == 2 and _entries(root) == ["train"]


def test_another_folder_is_never_replaced(source, tmp_path):
    # As when --out is the folder of the dataset itself.
    with pytest.raises(ValueError, match="is not a packed split"):
        pack(source, str(tmp_path / "images"), overwrite=True)
    assert len(source[0].image) and _entries(tmp_path) == ["images"]


def test_a_full_disk_is_reported(source, tmp_path, monkeypatch):
    class Full:
        def __init__(self, *options):
            pass

        def write(self, data):
            raise RuntimeError("No space left on device")

    monkeypatch.setattr(writer, "ArrayRecordWriter", Full)
    with pytest.raises(OSError, match=r"image-00000\.array_record: No space left"):
        pack(source, str(tmp_path / "packed" / "train"))
    assert _entries(tmp_path / "packed") == []


def test_bad_max_side(source, tmp_path):
    with pytest.raises(ValueError, match="max_side must be at least 1 pixel, got 0"):
        pack(source, str(tmp_path / "train"), max_side=0)


def _cut(path):
    path.write_bytes(path.read_bytes()[:-1000])


def _flip(path, at=0.5):
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 255
    path.write_bytes(data)


def _zero(path):
    path.write_bytes(bytes(path.stat().st_size))


def _edit(**changes):
    def edit(path):
        content = json.loads(path.read_text())
        path.write_text(json.dumps(content | changes))

    return edit


def _arrays(**changes):
    def edit(path):
        with np.load(path) as file:
            arrays = dict(file)
        np.savez(path, **(arrays | changes))

    return edit


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("image-00000.array_record", os.remove, "No such file"),
        ("image-00000.array_record", _cut, "bytes, got"),
        ("image-00000.array_record", _zero, "no array_record file"),
        ("arrays.npz", os.remove, "missing"),
        ("arrays.npz", _cut, "not a zip"),
        ("arrays.npz", _flip, "CRC"),
        ("arrays.npz", _arrays(area=np.zeros(3, np.float32)), "do not fit together"),
        ("arrays.npz", _arrays(boxes=np.zeros((3, 4))), "boxes is float64"),
        ("arrays.npz", _arrays(crowd=np.array([{}])), "allow_pickle"),
        ("arrays.npz", _arrays(classes=np.full(18, 3, np.int32)), "do not fit together"),
        ("dataset.json", _cut, "not the description"),
        ("dataset.json", _edit(format="other"), "not the description"),
        ("dataset.json", _edit(files={"image": [{"name": "x"}]}), "not the description"),
        ("dataset.json", _edit(classes=[]), "no class names"),
    ],
)
def test_damage_is_reported_with_the_file(root, name, damage, words):
    path = root / "train" / name
    damage(path)
    with pytest.raises(DataError, match=words) as error:
        packed(str(root), "train")
    assert str(path) in str(error.value)
    if "no class" not in words:
        assert "pack it again" in str(error.value)


def test_a_damaged_image_is_reported_when_it_is_read(root, source):
    _flip(root / "train" / "image-00000.array_record", 0.2)
    other = packed(str(root), "train")
    damaged = 0
    for index in range(IMAGES):
        try:
            _assert_same(other[index], source[index])
        except DataError as error:
            assert f"train[{index}]" in str(error) and "pack it again" in str(error)
            damaged += 1
    assert damaged == 1


def test_another_version_says_what_to_do(root):
    _edit(version=1)(root / "train" / "dataset.json")
    with pytest.raises(DataError, match="version 1 .* expected 2; pack the dataset again"):
        packed(str(root), "train")


def test_unknown_split_lists_the_known(root):
    with pytest.raises(DataError, match="val: no packed split; .*packed has train"):
        packed(str(root), "val")
