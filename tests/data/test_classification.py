import concurrent.futures
import gzip
import os
import pickle
import struct
import zipfile

import cv2
import numpy as np
import pytest

from jaxvision.data.classification import classification_source
from jaxvision.data.errors import DataError
from jaxvision.data.readers.cifar import CIFAR10_CLASSES
from jaxvision.data.readers.tfds import labelled_records
from jaxvision.data.readers.zip_file import ZipMembers
from jaxvision.data.sources.cached import Cached
from jaxvision.data.sources.digits import Digits
from jaxvision.data.sources.labelled import LabelledArrays


def open_folder(path, split="train", **options):
    return classification_source("image_folder", str(path), split, **options)


@pytest.fixture
def folder(tmp_path, write_image):
    """Two classes of three images in train, the same in val, of sizes that tell them apart."""
    for split in ("train", "val"):
        for label, width in (("cat", 10), ("dog", 20)):
            for i in range(3):
                write_image(f"{split}/{label}/{i}.png", width + i, 8)
    return tmp_path


def zipped(folder, name, root, method=zipfile.ZIP_DEFLATED):
    """Packs a split; `root` is put before the classes."""
    with zipfile.ZipFile(folder / name, "w", method) as archive:
        for file in sorted((folder / "train").rglob("*.*")):
            archive.write(file, root + str(file.relative_to(folder / "train")))
    return folder


def test_folders_are_classes_sorted_by_name(folder):
    source = open_folder(folder)
    assert source.classes == ("cat", "dog")
    np.testing.assert_array_equal(source.labels, [0, 0, 0, 1, 1, 1])
    assert source.labels.dtype == np.int32
    assert [source.annotation(i)[:2] for i in range(6)] == [
        (8, w) for w in (10, 11, 12, 20, 21, 22)
    ]
    assert source.image(4)[0].shape == (8, 21, 3)
    assert source.name(4) == str(folder / "train" / "dog" / "1.png")
    assert "6 images; 2 classes, 3 to 3 images each" in source.describe()


def test_images_may_lie_deeper_and_have_upper_case_suffixes(folder, write_image):
    write_image("train/cat/deep/er/7.JPG", 30, 8)
    source = open_folder(folder)
    assert len(source) == 7
    assert source.annotation(3)[:2] == (8, 30)


@pytest.mark.parametrize("root", ["", "train/"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_archive_equals_the_folder_it_was_made_from(folder, root, method):
    expected = open_folder(folder)
    zipped(folder, "packed.zip", root and "packed/", method)
    source = open_folder(folder, "packed")
    assert source.classes == expected.classes
    np.testing.assert_array_equal(source.labels, expected.labels)
    for i in range(6):
        np.testing.assert_array_equal(source.image(i)[0], expected.image(i)[0])
    assert source.name(4).endswith("packed.zip/" + (root and "packed/") + "dog/1.png")


def test_archive_is_read_by_many_threads_at_once(tmp_path):
    content = {f"{i}.bin": os.urandom(1000 + 37 * i) for i in range(64)}
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    members = ZipMembers(str(tmp_path / "a.zip"))
    order = np.random.default_rng(0).integers(0, 64, 4000).tolist()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(members.read, order))
    assert all(data == content[f"{i}.bin"] for i, data in zip(order, found, strict=True))


def test_damaged_archive_stops_with_the_path_inside(folder):
    zipped(folder, "packed.zip", "", zipfile.ZIP_STORED)
    data = bytearray((folder / "packed.zip").read_bytes())
    image = (folder / "train/dog/1.png").read_bytes()
    data[data.find(image) + 40] ^= 0xFF
    (folder / "packed.zip").write_bytes(data)
    source = open_folder(folder, "packed")
    source.image(3)
    with pytest.raises(DataError, match=r"packed\.zip/dog/1\.png: the archive is damaged"):
        source.image(4)


def test_file_that_is_no_archive(tmp_path):
    (tmp_path / "train.zip").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"train\.zip: not a readable zip archive"):
        open_folder(tmp_path)


def test_classes_are_mapped_by_name_and_not_by_position(folder, write_image):
    # Only in val: the order of the folders there is another one than in train.
    os.rename(folder / "val/cat", folder / "val/zebra")
    os.rename(folder / "train/cat", folder / "train/zebra")
    write_image("train/ant/0.png", 40, 8)
    train = open_folder(folder)
    assert train.classes == ("ant", "dog", "zebra")
    val = open_folder(folder, "val", classes=train.classes)
    np.testing.assert_array_equal(val.labels, [1, 1, 1, 2, 2, 2])
    assert val.annotation(5)[:2] == (8, 12)
    assert "1 of them without an image here: ant" in val.describe()
    turned = open_folder(folder, "val", classes=("zebra", "dog"))
    np.testing.assert_array_equal(turned.labels, [1, 1, 1, 0, 0, 0])
    assert turned.annotation(0)[:2] == (8, 20)


def test_class_that_only_the_validation_split_has(folder):
    os.rename(folder / "val/dog", folder / "val/wolf")
    with pytest.raises(DataError, match=r"wolf: unknown class 'wolf'.*cat, dog"):
        open_folder(folder, "val", classes=open_folder(folder).classes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: os.rename(f / "train/cat", f / "cat"), r"two or more classes, got dog"),
        (lambda f: (f / "train/empty").mkdir(), r"train/empty: the folder of a class holds no"),
        (
            lambda f: ((f / "train/text").mkdir(), (f / "train/text/a.txt").write_text("")),
            r"train/text: the folder of a class holds no image",
        ),
        (
            lambda f: os.rename(f / "train/cat/0.png", f / "train/0.png"),
            r"train/0\.png: this image is not in the folder of a class \(1 such",
        ),
        (lambda f: os.rename(f / "train", f / "training"), r"holds training, val"),
    ],
)
def test_folders_that_are_no_data_set(folder, change, message):
    change(folder)
    with pytest.raises(DataError, match=message):
        open_folder(folder)


def test_other_files_are_left_out_and_reported(folder):
    for name in ("train/.DS_Store", "train/cat/Thumbs.db", "train/__MACOSX/cat/._0.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    assert "dropped" not in open_folder(folder).describe()
    (folder / "train/cat/notes.txt").write_text("x")
    source = open_folder(folder)
    assert len(source) == 6
    assert source.classes == ("cat", "dog")
    assert "dropped, without the suffix of an image: 1 files (cat/notes.txt)" in source.describe()


def test_corrupt_file_stops_with_its_path(folder):
    file = folder / "train/dog/1.png"
    file.write_bytes(file.read_bytes()[:60])
    source = open_folder(folder)
    with pytest.raises(DataError, match=r"train/dog/1\.png: .*(truncated|not a readable)"):
        source.image(4)


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.full((8, 8), 77, np.uint8), (77, 77, 77)),
        (np.full((8, 8), 0x4D12, np.uint16), (0x4D, 0x4D, 0x4D)),
        # OpenCV writes BGRA.
        (np.full((8, 8, 4), (1, 2, 3, 4), np.uint8), (3, 2, 1)),
    ],
    ids=["grey", "16 bits", "alpha"],
)
def test_other_kinds_of_pixels_become_rgb(folder, pixels, expected):
    assert cv2.imwrite(str(folder / "train/cat/0.png"), pixels)
    image, _ = open_folder(folder).image(0)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, np.broadcast_to(np.uint8(expected), (8, 8, 3)))


@pytest.fixture
def cifar(tmp_path):
    """CIFAR-10's files with two records each, red, green and blue planes of one value."""
    records = np.zeros((12, 3073), np.uint8)
    records[:, 0] = np.arange(12) % 10
    records[:, 1:1025], records[:, 1025:2049], records[:, 2049:] = 1, 2, 3
    records[:, 1] = 100 + np.arange(12)  # red, top left
    inner = tmp_path / "cifar-10-batches-bin"
    inner.mkdir()
    files = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
    for i, name in enumerate(files):
        (inner / name).write_bytes(records[2 * i : 2 * i + 2].tobytes())
    return tmp_path


@pytest.mark.parametrize("inner", ["", "cifar-10-batches-bin"])
def test_cifar10(cifar, inner):
    source = classification_source("cifar10", str(cifar / inner), "train")
    assert source.classes == CIFAR10_CLASSES
    np.testing.assert_array_equal(source.labels, np.arange(10))
    image, _ = source.image(7)
    assert image.shape == (32, 32, 3)
    np.testing.assert_array_equal(image[0, 0], [107, 2, 3])
    np.testing.assert_array_equal(image[31, 31], [1, 2, 3])
    test = classification_source("cifar10", str(cifar), "test", classes=source.classes)
    np.testing.assert_array_equal(test.labels, [0, 1])


def test_cifar_faults(cifar):
    def open_train():
        return classification_source("cifar10", str(cifar), "train")

    with pytest.raises(DataError, match="the splits are train and test, got 'val'"):
        classification_source("cifar10", str(cifar), "val")
    with pytest.raises(DataError, match="classes must be airplane"):
        classification_source("cifar10", str(cifar), "test", classes=("a", "b"))
    file = cifar / "cifar-10-batches-bin/data_batch_3.bin"
    data = file.read_bytes()
    file.write_bytes(bytes([10]) + data[1:])
    with pytest.raises(DataError, match=r"\[4\]: labels must be in \[0, 10\), .* got 10"):
        open_train()
    file.write_bytes(data[:-1])
    with pytest.raises(DataError, match=r"data_batch_3\.bin: expected records of 3,073 bytes"):
        open_train()
    file.unlink()
    with pytest.raises(DataError, match=r"data_batch_3\.bin: cannot read"):
        open_train()


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def test_pickled_cifar_is_refused_and_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(DataError, match=r"pickle.*binary version, cifar-10-binary\.tar\.gz"):
        classification_source("cifar10", str(tmp_path), "train")
    assert not (tmp_path / "exploded").exists()


def test_cifar100_has_fine_labels(tmp_path):
    record = np.zeros((3, 3074), np.uint8)
    record[:, 0] = 19
    record[:, 1] = [99, 0, 50]
    (tmp_path / "train.bin").write_bytes(record.tobytes())
    names = [f"class{i}" for i in range(100)]
    (tmp_path / "fine_label_names.txt").write_text("\n".join(names) + "\n")
    source = classification_source("cifar100", str(tmp_path), "train")
    assert source.classes == tuple(names)
    np.testing.assert_array_equal(source.labels, [99, 0, 50])


def idx(array):
    return struct.pack(f">4B{array.ndim}i", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def mnist(tmp_path):
    pixels = np.arange(5 * 28 * 28).reshape(5, 28, 28).astype(np.uint8)
    labels = np.array([5, 0, 4, 1, 9], np.uint8)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pixels)))
    (tmp_path / "train-labels.idx1-ubyte").write_bytes(idx(labels))
    return tmp_path, pixels


def test_mnist_plain_and_compressed_grey_in_three_channels(mnist):
    path, pixels = mnist
    source = classification_source("mnist", str(path), "train")
    assert source.classes == tuple("0123456789")
    np.testing.assert_array_equal(source.labels, [5, 0, 4, 1, 9])
    np.testing.assert_array_equal(source.image(3)[0], np.repeat(pixels[3][..., None], 3, axis=2))
    fashion = classification_source("fashion_mnist", str(path), "train")
    assert fashion.classes[9] == "Ankle_boot"


def test_mnist_faults(mnist):
    path, pixels = mnist

    def open_train():
        return classification_source("mnist", str(path), "train")

    images, labels = path / "train-images-idx3-ubyte.gz", path / "train-labels.idx1-ubyte"
    with pytest.raises(DataError, match="there is no file t10k-images-idx3-ubyte or .*gz"):
        classification_source("mnist", str(path), "test")
    labels.write_bytes(idx(np.array([5, 0, 4, 1, 10], np.uint8)))
    with pytest.raises(DataError, match=r"\[4\]: labels must be in \[0, 10\)"):
        open_train()
    labels.write_bytes(idx(np.array([5, 0], np.uint8)))
    with pytest.raises(DataError, match="5 images, but 2 labels"):
        open_train()
    images.write_bytes(gzip.compress(idx(pixels)[:-5]))
    with pytest.raises(DataError, match="expected 5 x 28 x 28 bytes after the header, got 3,915"):
        open_train()
    images.write_bytes(gzip.compress(idx(pixels))[:100])
    with pytest.raises(DataError, match="not a whole gzip file"):
        open_train()
    images.write_bytes(gzip.compress(idx(pixels.reshape(5, -1))))
    with pytest.raises(DataError, match="begins with 00 00 08 03, got 00 00 08 02"):
        open_train()


class Label:
    def __init__(self, names):
        self.names = names


def test_records_of_tfds(write_image, tmp_path):
    write_image("a.png", 20, 10)
    data = (tmp_path / "a.png").read_bytes()
    features = {"image": None, "label": Label(["cat", "dog"])}
    records = [{"image": data, "label": np.int64(k)} for k in (1, 0)]
    source = labelled_records(records, features, "set", classes=("dog", "cat"))
    np.testing.assert_array_equal(source.labels, [0, 1])
    assert source.annotation(1)[:2] == (10, 20)
    with pytest.raises(DataError, match=r"set\[0\]: label: unknown class 'dog'"):
        labelled_records(records, features, "set", classes=("cat",))
    with pytest.raises(DataError, match="expected the features image and label"):
        labelled_records(records, {"image": None}, "set")


def test_objects_become_labels_of_the_image():
    source = classification_source("objects:shapes", None, "train", length=12, image_size=64)
    assert source.labels.shape == (12, 4)
    assert source.labels.dtype == np.float32
    from jaxvision.data.detection import detection_source

    detection = detection_source("shapes", None, "train", length=12, image_size=64)
    for i in range(12):
        shown = set(detection[i].objects.classes.tolist())
        assert {k for k in range(4) if source.labels[i, k]} == shown
    np.testing.assert_array_equal(source.image(3)[0], detection[3].image)
    assert "images by class: 12 images, each with any number" in source.describe()


def test_digits_are_always_the_same_and_differ_between_splits():
    train, again, val = Digits(20), Digits(20), Digits(20, split="val")
    np.testing.assert_array_equal(train.image(13)[0], again.image(13)[0])
    assert (train.image(13)[0] != val.image(13)[0]).any()
    assert train.image(13)[0].shape == (28, 28, 3)
    np.testing.assert_array_equal(np.bincount(train.labels), np.full(10, 2))


class Counting(Digits):
    reads = 0

    def image(self, index, max_reduction=1):
        self.reads += 1
        return super().image(index, max_reduction)


def test_cache_reads_once_and_stops_at_its_limit():
    size = 28 * 28 * 3
    source = Counting(3)
    cached = Cached(source, 2 * size)
    expected = [Digits(3).image(i)[0] for i in range(3)]
    for _ in range(3):
        for i in range(3):
            np.testing.assert_array_equal(cached.image(i)[0], expected[i])
    # Two are kept, the third is read each time.
    assert source.reads == 2 + 3
    assert not cached.image(0)[0].flags.writeable


def test_unknown_source_and_missing_path():
    with pytest.raises(
        ValueError, match="data.source must be one of digits, motions, image_folder"
    ):
        classification_source("imagenet", "x", "train")
    with pytest.raises(DataError, match="data.path must name the folder"):
        classification_source("image_folder", "", "train")
    with pytest.raises(DataError, match="digits: classes must be 0, 1"):
        classification_source("digits", None, "train", classes=("a",))


def test_targets_out_of_range():
    pixels = np.zeros((2, 4, 4, 3), np.uint8)
    with pytest.raises(DataError, match=r"set\[1\]: targets must be in \[0, 1\]"):
        LabelledArrays("set", ("a", "b"), np.float32([[0, 1], [0, 2]]), pixels)
    with pytest.raises(DataError, match="3 targets an image, but 2 classes"):
        LabelledArrays("set", ("a", "b"), np.zeros((2, 3), np.float32), pixels)
    with pytest.raises(DataError, match="the split has no images"):
        LabelledArrays("set", ("a", "b"), np.zeros(0, np.int32), pixels[:0])
