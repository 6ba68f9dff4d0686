"""The pages: generated ones are up to date, all are found, and samples of data can be read."""

import importlib.util
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib

import cv2
import numpy as np
import pytest
from documented import ROOT, blocks

from jaxvision.data.detection import detection_source

DOCS = ROOT / "docs"


def generator():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_up_to_date():
    assert generator().outdated() == [], "run: python docs/generate.py"


def test_values_are_in_the_order_in_which_their_comments_refer_to_each_other():
    names = re.findall(r"^\| `([\w.]+)`", (DOCS / "values.md").read_text(), re.M)
    first = names.index("augment.mosaic")
    assert names[first : first + 4] == [
        "augment.mosaic",
        "augment.mixup",
        "augment.cutmix",
        "augment.no_aug",
    ]


def test_every_page_is_in_the_navigation():
    navigation = repr(tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"])
    for page in DOCS.glob("*.md"):
        assert f"'{page.name}'" in navigation


@pytest.mark.parametrize(
    ("source", "marker", "images", "expected"),
    [
        ("coco", "instances_train.json", "train/a.jpg", [[10, 8, 40, 28]]),
        ("voc", "ImageSets|Annotations", "JPEGImages/a.jpg", [[10, 8, 40, 28]]),
        (
            "yolo",
            "data.yaml|labels",
            "images/train/a.jpg",
            [[10, 8, 40, 28], [6.4, 4.8, 25.6, 24]],
        ),
        ("csv", "train.csv", "train/a.jpg", [[10, 8, 40, 28], [2, 2, 20, 30]]),
    ],
)
def test_sample_of_own_data_can_be_read(source, marker, images, expected, tmp_path):
    for language in ("json", "text", "xml", "yaml"):
        for _, title, content in blocks(DOCS / "data.md", language):
            file = re.fullmatch(r'title="(.*)"', title)[1]
            if re.search(marker, file):
                (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / file).write_text(content)
    picture = tmp_path / images
    picture.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(picture), np.zeros((48, 64, 3), np.uint8))
    opened = detection_source(source, str(tmp_path), "train")
    assert set(opened.classes) <= {"cat", "dog"} and len(opened) == 1
    np.testing.assert_allclose(opened[0].objects.boxes, expected, atol=1e-3)


@pytest.mark.slow
def test_documentation_builds_without_a_warning():
    beside = str(pathlib.Path(sys.executable).parent)
    program = shutil.which("zensical", path=beside) or shutil.which("zensical")
    if program is None:
        pytest.skip("zensical is not installed: pip install -e '.[docs]'")
    subprocess.run([program, "build", "--strict"], cwd=ROOT, check=True)
    for page in DOCS.glob("*.md"):
        assert (ROOT / "site" / f"{page.stem}.html").is_file()
    reference = (ROOT / "site" / "reference.html").read_text()
    # From a docstring, in its own words.
    assert "by default the one with the best metric" in reference
