import planted
import pytest
from planted import Picture, jpeg

from jaxvision.check.images import read_images
from jaxvision.check.statistics import ClassCount, Spread, measure
from jaxvision.data.readers.coco import coco


@pytest.fixture
def statistics(tmp_path):
    pictures = [
        # At an input of 128 all is twice as large: roots of the areas 40, 80 and 3.
        Picture("a.jpg", jpeg(0), objects=(("cat", (0, 0, 20, 20)), ("dog", (0, 0, 40, 40)))),
        Picture("b.jpg", jpeg(1), objects=(("cat", (10, 10, 11.5, 11.5)),)),
        Picture("c.jpg", jpeg(2), objects=()),
        Picture("d.jpg", b"", objects=(("cat", (0, 0, 20, 20)), ("cat", (0, 0, 9, 9)))),
    ]
    document = planted.coco_document(pictures)
    document["annotations"].append(
        {"image_id": 0, "category_id": 0, "bbox": [1, 1, 5, 5], "iscrowd": 1}
    )
    planted.write_coco(tmp_path, "train", pictures, document)
    source = coco(str(tmp_path), "train")
    facts = read_images(source, workers=1, on_fault=lambda fault: None)
    return measure(source, facts, image_size=128, max_objects=1)


def test_counts(statistics):
    assert (statistics.images, statistics.unreadable, statistics.without_objects) == (4, 1, 1)
    assert (statistics.objects, statistics.crowds, statistics.over_max_objects) == (5, 1, 2)
    assert statistics.classes == (
        ClassCount("cat", 4, 3, 0.8),
        ClassCount("dog", 1, 1, 0.2),
        ClassCount("bird", 0, 0, 0.0),
    )


def test_objects_an_image(statistics):
    assert statistics.objects_per_image == Spread(0, 1.5, 1.25, 2)
    assert [bar.count for bar in statistics.objects_per_image_bins[:4]] == [1, 1, 2, 0]


def test_box_sizes_against_strides(statistics):
    # Of readable images only.
    assert statistics.side.least == pytest.approx(3) and statistics.side.median == pytest.approx(40)
    assert statistics.side.largest == pytest.approx(80)
    assert statistics.levels == {"8": 2, "16": 1, "32": 0}
    assert (statistics.below_cell, statistics.below_2px) == (1, 0)
    counts = {(bar.low, bar.high): bar.count for bar in statistics.side_bins}
    assert counts[2, 4] == counts[32, 64] == counts[64, 128] == 1 and sum(counts.values()) == 3


def test_image_sizes(statistics):
    assert statistics.sizes == ((64, 48, 3),) and statistics.different_sizes == 1
    counts = {bar.low: bar.count for bar in statistics.aspect_bins}
    assert counts[1.05] == 3 and sum(counts.values()) == 3
