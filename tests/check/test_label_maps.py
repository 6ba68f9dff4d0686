import json

import cv2
import numpy as np
import pytest

from jaxvision.check.label_maps import check_label_maps
from jaxvision.cli.main import main
from jaxvision.data.label_map import encode_label_map

PALETTE = np.zeros((256, 3), np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Four images of train: a sound one, one of another size, one unknown class, one of void."""
    maps = [np.zeros((20, 30), np.uint8) for _ in range(4)]
    maps[0][:10] = 1
    maps[1] = maps[1][:10]
    maps[2][0] = 9
    maps[3][:15] = 255
    for kind in ("images", "masks"):
        (tmp_path / kind / "train").mkdir(parents=True)
    for i, each in enumerate(maps):
        image = np.full((20, 30, 3), 40 * i, np.uint8)
        cv2.imwrite(str(tmp_path / "images" / "train" / f"{i}.png"), image)
        mask = tmp_path / "masks" / "train" / f"{i}.png"
        mask.write_bytes(encode_label_map(each, PALETTE))
    (tmp_path / "classes.txt").write_text("background\ncat\ndog\n")
    return tmp_path


def test_faults_are_listed_by_kind(folder):
    summary, train = check_label_maps("folder", str(folder), {"train": "train"})
    found = {finding.code: finding for finding in summary.findings}
    assert set(found) == {"wrong-size", "unknown-class", "much-void", "class-without-pixels"}
    assert found["wrong-size"].examples[0].file == "masks/train/1.png"
    assert found["much-void"].examples[0] == ("images/train/3.png", "75% void")
    assert found["class-without-pixels"].examples[0].file == "dog"
    assert not summary.trainable and train.readable.tolist() == [True, False, False, True]
    assert summary.statistics["train"]["pixels"] == {"background": 450, "cat": 300, "dog": 0}
    assert summary.statistics["train"]["void"] == 450


def test_an_image_without_its_mask_is_a_finding(folder):
    (folder / "masks" / "train" / "2.png").unlink()
    summary, train = check_label_maps("folder", str(folder), {"train": "train"})
    assert [finding.code for finding in summary.findings] == ["missing-mask"]
    assert train is None


def test_command_writes_a_report_and_a_sheet(folder, tmp_path, capsys):
    out = tmp_path / "report"
    arguments = ["check-data", "--source=masks", f"--path={folder}", f"--out={out}"]
    assert main(arguments) == 1
    text = capsys.readouterr().out
    assert "median-frequency weight" in text and "masks/train/1.png" in text
    assert json.loads((out / "report.json").read_text())["source"] == "folder"
    assert cv2.imread(str(out / "contact_sheet.png")).std() > 5
