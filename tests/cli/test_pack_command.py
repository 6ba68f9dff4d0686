import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from jaxvision.cli import main as cli
from jaxvision.cli import pack as command
from jaxvision.data.classification import classification_source
from jaxvision.data.detection import detection_source
from jaxvision.data.segmentation import segmentation_source
from jaxvision.train import progress

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def table(tmp_path):
    """Three images with a cat each, as a csv."""
    from PIL import Image

    rows = ["filename,width,height,class,xmin,ymin,xmax,ymax"]
    for number in range(3):
        Image.new("RGB", (64, 48), (number, 200, 30)).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,64,48,cat,1,1,9,{9 + number}")
    (tmp_path / "train.csv").write_text("\n".join(rows))
    return tmp_path


def _arguments(table, *more):
    return ["pack", "--source=csv", f"--path={table}", "--split=train", f"--out={table}/o", *more]


def test_a_split_is_packed_and_opened(table, capsys):
    assert cli.main(_arguments(table)) == 0
    output = capsys.readouterr().out
    assert "3 images, 0 of them without objects" in output
    assert f"{table}/o/train: 3 images, 3 objects" in output
    assert f"--config.data.path={table}/o --config.data.train=train" in output
    one = detection_source("csv", str(table), "train")
    two = detection_source("packed", str(table / "o"), "train")
    for index in range(3):
        np.testing.assert_array_equal(one[index].image, two[index].image)
        np.testing.assert_array_equal(one[index].objects.boxes, two[index].objects.boxes)


def test_a_classification_dataset_is_packed(tmp_path, capsys):
    from PIL import Image

    for number, label in enumerate("abb"):
        (tmp_path / "train" / label).mkdir(parents=True, exist_ok=True)
        image = Image.new("RGB", (16, 12), (number, 200, 30))
        image.save(tmp_path / "train" / label / f"{number}.png")
    arguments = ["pack", "--source=image_folder", f"--path={tmp_path}", "--split=train"]
    assert cli.main([*arguments, f"--out={tmp_path}/o"]) == 0
    assert "3 images, 2 classes" in capsys.readouterr().out
    packed = classification_source("packed", f"{tmp_path}/o", "train")
    assert packed.labels.tolist() == [0, 1, 1] and packed.classes == ("a", "b")
    assert packed[2].image[0, 0].tolist() == [2, 200, 30]


def test_options_reach_the_packer(table):
    more = ("--classes=dog,cat", "--max-side=32", "--workers=2")
    assert cli.main(_arguments(table, "--split=train.csv", *more)) == 0
    assert cli.main(_arguments(table, "--name=small", *more)) == 0
    assert sorted(os.listdir(table / "o")) == ["small", "train.csv"]
    source = detection_source("packed", str(table / "o"), "small")
    assert source.classes == ("dog", "cat") and source[0].image.shape == (24, 32, 3)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--split=nowhere",), "nowhere.csv: no such table"),
        (("--source=imagenet",), "must be one of shapes, coco"),
        (("--workers=0",), "--workers must be at least 1, got 0"),
        (("--ignore-difficult",), "--ignore-difficult is for voc"),
        (("--source=voc", "--images=x"), "--images is for coco and csv"),
        (("--out=/proc/nowhere",), "/proc/nowhere"),
    ],
)
def test_a_fault_is_one_line_and_exit_code_2(table, capsys, more, words):
    assert cli.main(_arguments(table, *more)) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1 and told[0].startswith("error: ") and words in told[0]


def test_label_maps_are_packed(tmp_path, capsys):
    from PIL import Image

    for folder in ("images", "masks"):
        (tmp_path / folder / "train").mkdir(parents=True)
    (tmp_path / "classes.txt").write_text("background\ncat\n")
    for number in range(2):
        Image.new("RGB", (16, 12), (number, 200, 30)).save(tmp_path / f"images/train/{number}.png")
        Image.new("L", (16, 12), number).save(tmp_path / f"masks/train/{number}.png")
    arguments = ["pack", "--source=masks", f"--path={tmp_path}", "--split=train"]
    assert cli.main([*arguments, f"--out={tmp_path}/o"]) == 0
    assert "2 images, 2 classes" in capsys.readouterr().out
    one = segmentation_source("folder", str(tmp_path), "train")
    two = segmentation_source("packed", f"{tmp_path}/o", "train")
    assert two.classes == ("background", "cat")
    for index in range(2):
        np.testing.assert_array_equal(one[index].image, two[index].image)
        np.testing.assert_array_equal(one[index].mask, two[index].mask)


def test_a_second_time_needs_overwrite(table, capsys):
    assert cli.main(_arguments(table)) == 0
    assert cli.main(_arguments(table)) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert cli.main(_arguments(table, "--overwrite")) == 0


def test_ctrl_c(table, monkeypatch, capsys):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "pack", interrupt)
    assert cli.main(_arguments(table)) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_progress_is_a_line_now_and_then_without_a_terminal(table, monkeypatch, capsys):
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    assert cli.main(_arguments(table)) == 0
    assert "1/3 images  left" in capsys.readouterr().err


def test_the_command_runs_as_a_module_without_frameworks(table):
    code = (
        "import sys, runpy; sys.argv = ['jaxvision', '--help']\n"
        "try: runpy.run_module('jaxvision.cli.main', run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    print(end.code, {'flax', 'torch', 'tensorflow'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert "pack" in result.stdout and "0 set()" in result.stdout, result.stderr
