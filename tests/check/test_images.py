import numpy as np
import planted
import pytest
from planted import jpeg

from jaxvision.check.images import Header, read_header, read_images
from jaxvision.data.readers.yolo import yolo


@pytest.mark.parametrize(
    ("channels", "dtype", "suffix", "expected"),
    [
        (3, np.uint8, ".jpg", Header()),
        (1, np.uint8, ".jpg", Header(grey=True)),
        (3, np.uint8, ".png", Header()),
        (4, np.uint8, ".png", Header(alpha=True)),
        (1, np.uint16, ".png", Header(grey=True, deep=True)),
        (3, np.uint16, ".png", Header(deep=True)),
        (3, np.uint16, ".tif", Header(deep=True)),
        (3, np.uint8, ".tif", Header()),
        (3, np.uint8, ".webp", Header()),
    ],
)
def test_how_a_picture_is_stored(channels, dtype, suffix, expected):
    assert read_header(planted.encode(planted.pixels(0, channels, dtype), suffix)) == expected


@pytest.mark.parametrize(("orientation", "turned"), [(1, False), (3, True), (6, True)])
def test_exif_rotation(tmp_path, orientation, turned):
    assert read_header(planted.rotated(0, tmp_path, orientation)).rotated is turned


def test_nothing_is_told_of_what_is_no_picture():
    assert read_header(b"GARBAGE") == read_header(b"") == Header()


def test_images_are_read_once_in_order_whatever_the_workers(tmp_path, monkeypatch):
    pictures = planted.clean(70, 0, "a")
    pictures[3] = pictures[3]._replace(content=b"")
    pictures[5] = pictures[5]._replace(content=planted.rotated(5, tmp_path, 6))
    pictures[69] = pictures[69]._replace(content=jpeg(69)[:-100])
    planted.write_yolo(tmp_path, "train", pictures)
    source = yolo(str(tmp_path), "train")
    # The reader lists names in their order as text.
    stems = [source.name(i)[-7:].rpartition("/")[2] for i in range(70)]
    reads, encoded = [], source.encoded
    monkeypatch.setattr(source, "encoded", lambda i: reads.append(i) or encoded(i))

    results = []
    for workers in (1, 3):
        faults, steps = [], []
        facts = read_images(source, workers=workers, on_fault=faults.append, advance=steps.append)
        assert sum(steps) == 70
        assert [fault.code for fault in faults] == ["unreadable-image", "truncated-image"]
        assert [str(fault).partition(": ")[0][-7:].rpartition("/")[2] for fault in faults] == [
            "a3.jpg",
            "a69.jpg",
        ]
        results.append(facts)
    assert sorted(reads) == sorted([*range(70)] * 2)
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)
    assert facts.readable.sum() == 68
    # As training sees it: turned.
    assert facts.sizes[stems.index("a5.jpg")].tolist() == [48, 64]
