import gzip

import pytest

from jaxvision.data.errors import DataError
from jaxvision.data.text.parallel import read_parallel


def write(folder, source, target, split="train"):
    for language, content in (("en", source), ("de", target)):
        if isinstance(content, str):
            content = content.encode()
        (folder / f"{split}.{language}").write_bytes(content)
    return folder


def read(folder, **options):
    return read_parallel(folder, "train", source="en", target="de", **options)


def test_lines_are_pairs(tmp_path):
    # A line separator of Unicode is a part of its line, and so is a lonely carriage return.
    text = read(write(tmp_path, "a dog\r\n\ufeffone\u2028two\n", "ein Hund\nTür\rzu"))
    assert text.source == ["a dog", "\ufeffone\u2028two"]
    assert text.target == ["ein Hund", "Tür\rzu"]
    assert text.name(1).startswith("train.en:2: ")


def test_byte_order_mark_is_no_text(tmp_path):
    assert read(write(tmp_path, "\ufeffa\n", "b\n")).source == ["a"]


def test_compressed_files_are_read_alike(tmp_path):
    write(tmp_path, "a\nb\n", "c\nd\n")
    plain = read(tmp_path)
    for language in ("en", "de"):
        file = tmp_path / f"train.{language}"
        (tmp_path / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    assert read(tmp_path)[:2] == plain[:2]


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("a\nb\n", "c\n", r"same number of lines.*train.en has 2, .*train.de has 1"),
        ("a\n \nb\n", "c\nd\ne\n", r"train.en:2: expected a sentence, got an empty line"),
        ("a\nb\n", "c\n\n", r"train.de:2: expected a sentence, got an empty line"),
        ("a\n", b"c\xe4\n", r"train.de:1: expected UTF-8, got byte 0xe4 at place 2"),
        (b"a\nb\nab\xff\n", "c\nd\ne\n", r"train.en:3: expected UTF-8, got byte 0xff at place 3"),
        ("", "", r"train.en is empty"),
    ],
)
def test_faults_are_named_by_file_and_line(tmp_path, source, target, words):
    with pytest.raises(DataError, match=words):
        read(write(tmp_path, source, target))


def broken(data):
    """Ways in which a compressed file is damaged, with what the message says."""
    changed = bytearray(data)
    changed[-6] ^= 0xFF
    return {
        "cut": (data[: len(data) // 2], "end-of-stream"),
        "changed": (bytes(changed), "broken here"),
        "none": (b"not compressed\n", "Not a gzipped file"),
    }


@pytest.mark.parametrize("damage", ["cut", "changed", "none"])
def test_damaged_compression_is_named_by_file_and_line(tmp_path, damage):
    lines = "".join(f"sentence {i * i}\n" for i in range(50_000)).encode()
    write(tmp_path, "a\n", "b\n")
    (tmp_path / "train.en").unlink()
    content, words = broken(gzip.compress(lines))[damage]
    (tmp_path / "train.en.gz").write_bytes(content)
    with pytest.raises(DataError, match=rf"train\.en\.gz:\d+: .*{words}") as error:
        read(tmp_path)
    line = int(str(error.value).split(".gz:")[1].split(":")[0])
    assert line == 1 if damage == "none" else 20_000 < line <= 50_001


def test_missing_file_is_named(tmp_path):
    with pytest.raises(
        DataError, match=r"train\.en does not exist, and neither does train\.en\.gz"
    ):
        read(tmp_path)


def test_pairs_with_empty_lines_can_be_dropped(tmp_path):
    told = []
    text = read(write(tmp_path, "a\n\nb\nc\n", "x\ny\n\nz\n"), on_fault=told.append)
    assert (text.source, text.target) == (["a", "c"], ["x", "z"])
    assert [text.place(i) for i in (0, 1)] == ["train.en:1", "train.en:4"]
    assert ["got an empty line" in str(fault) for fault in told] == [True] * 2
