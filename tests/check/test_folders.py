"""Image folders with one fault each."""

import cv2
import numpy as np
import pytest

from jaxvision.check.folders import check_folders
from jaxvision.check.kinds import KINDS


def write(folder, split, name, seed, shape=(24, 24, 3)):
    file = folder / split / name
    file.parent.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    cv2.imwrite(str(file), image)
    return file


@pytest.fixture
def folder(tmp_path):
    """Two classes of ten images, of which two of each are in val as well."""
    for k, name in enumerate(("cat", "dog")):
        for i in range(10):
            write(tmp_path, "train", f"{name}/{name}{i}.png", 100 * k + i)
        for i in range(2):
            write(tmp_path, "val", f"{name}/v{name}{i}.png", 1000 + 100 * k + i)
    return tmp_path


def codes(folder):
    summary, _, _ = check_folders(str(folder), {"train": "train", "val": "val"})
    return {(f.code, f.split): f for f in summary.findings}, summary


def test_clean_folders(folder):
    found, summary = codes(folder)
    assert found == {} and summary.trainable
    assert summary.statistics["train"] == {
        "images": 20,
        "classes": {"cat": 10, "dog": 10},
        "unreadable": 0,
    }
    assert "dog              10           2" in summary.as_text()


def spoil_broken(folder):
    file = folder / "train/cat/cat3.png"
    file.write_bytes(file.read_bytes()[:-30])


def spoil_copy(folder):
    (folder / "train/cat/z.png").write_bytes((folder / "train/cat/cat1.png").read_bytes())


def spoil_conflict(folder):
    (folder / "train/dog/z.png").write_bytes((folder / "train/cat/cat1.png").read_bytes())


def spoil_leak(folder):
    (folder / "val/dog/z.png").write_bytes((folder / "train/dog/dog1.png").read_bytes())


def spoil_tiny(folder):
    write(folder, "train", "cat/tiny.png", 7, (24, 15, 3))


def spoil_absent(folder):
    for file in (folder / "val/dog").iterdir():
        file.unlink()
    (folder / "val/dog").rmdir()


def spoil_few(folder):
    (folder / "train/dog/dog0.png").unlink()


def spoil_imbalance(folder):
    for i in range(91):
        write(folder, "train", f"cat/more{i}.png", 5000 + i, (16, 16, 3))


def spoil_odd(folder):
    (folder / "train/dog/notes.heic").write_bytes(b"x")


def spoil_unknown(folder):
    write(folder, "val", "bird/b.png", 8)


def spoil_grey(folder):
    write(folder, "train", "cat/grey.png", 9, (24, 24))


@pytest.mark.parametrize(
    ("spoil", "code", "split", "example"),
    [
        (spoil_broken, "truncated-image", "train", "train/cat/cat3.png"),
        (spoil_copy, "duplicate-image", "train", "as train/cat/cat1.png"),
        (spoil_conflict, "two-class-image", "train", "as train/cat/cat1.png"),
        (spoil_leak, "image-in-both-splits", "val", "as train/dog/dog1.png"),
        (spoil_tiny, "tiny-image", "train", "15 x 24 pixels"),
        (spoil_absent, "class-without-images", "val", "dog"),
        (spoil_few, "few-images", "train", "9 images"),
        (spoil_imbalance, "imbalanced-classes", "train", "101 images"),
        (spoil_odd, "other-files", "train", "notes.heic"),
        (spoil_unknown, "unreadable-split", "val", "unknown class 'bird'"),
        (spoil_grey, "greyscale", "train", "train/cat/grey.png"),
    ],
)
def test_each_fault_is_found(folder, spoil, code, split, example):
    spoil(folder)
    found, summary = codes(folder)
    # A conflict is a copy, too.
    assert found.keys() - {("duplicate-image", "train")} <= {(code, split)}
    finding = found[code, split]
    assert any(example in f"{each.file} {each.detail}" for each in finding.examples)
    assert summary.trainable == (KINDS[code].severity != "error")
    page = summary.as_html(None)
    assert KINDS[code].title in page and code in summary.as_json()


def test_one_class_is_not_trainable(tmp_path):
    write(tmp_path, "train", "cat/a.png", 1)
    summary, train, readable = check_folders(str(tmp_path), {"train": "train"})
    assert [f.code for f in summary.findings] == ["unreadable-split"] and not summary.trainable
    assert train is None and not readable.size
