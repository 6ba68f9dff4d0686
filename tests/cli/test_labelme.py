import json

import cv2
import numpy as np
import pytest

from jaxvision.cli.main import main
from jaxvision.data.segmentation import segmentation_source


def write(folder, name, shapes, size=(20, 30)):
    cv2.imwrite(str(folder / f"{name}.jpg"), np.full((20, 30, 3), 90, np.uint8))
    content = dict(shapes=shapes, imagePath=f"{name}.jpg", imageHeight=size[0], imageWidth=size[1])
    (folder / f"{name}.json").write_text(json.dumps(content))


def shape(label, points, kind="polygon"):
    return dict(label=label, points=points, shape_type=kind)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    square = [[2, 2], [12, 2], [12, 12], [2, 12]]
    write(folder, "a", [shape("dog", square), shape("cat", [[20, 10], [24, 10]], "circle")])
    write(folder, "b", [shape("cat", [[5, 5], [9, 9]], "rectangle")])
    return folder


def test_shapes_become_a_dataset_that_training_reads(folder, tmp_path, capsys):
    out = tmp_path / "data"
    assert main(["labelme", str(folder), f"--out={out}"]) == 0
    source = segmentation_source("folder", str(out), "train")
    assert source.classes == ("background", "cat", "dog")
    first, second = source[0].mask, source[1].mask
    assert (first[5, 5], first[10, 22], first[18, 2]) == (2, 1, 0)
    assert second[7, 7] == 1 and second[12, 12] == 0
    # Another split takes the classes that are there.
    assert main(["labelme", str(folder), f"--out={out}", "--split=val"]) == 0
    assert len(segmentation_source("folder", str(out), "val")) == 2
    assert "2 images and label maps of background, cat, dog" in capsys.readouterr().out


def test_faults_are_one_line_with_the_file(folder, tmp_path, capsys):
    arguments = ["labelme", str(folder), f"--out={tmp_path / 'data'}"]
    assert main([*arguments, "--classes=cat"]) == 2
    assert "a.json: shapes[0].label must be one of background, cat, got dog" in (
        capsys.readouterr().err
    )
    write(folder, "b", [shape("cat", [[5, 5]], "polygon")])
    assert main(arguments) == 2
    assert "b.json: shapes[0].points must be 3 or more x, y, got [1, 2]" in capsys.readouterr().err
    write(folder, "b", [], size=(9, 9))
    assert main(arguments) == 2
    assert "b.json: imageHeight and imageWidth are 9 x 9" in capsys.readouterr().err
    (folder / "b.json").write_text("{}")
    assert main(arguments) == 2
    assert "b.json: not a file of labelme" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
