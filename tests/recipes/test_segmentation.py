"""A whole run on drawn shapes: trained, loaded, predicted, evaluated, by Python and commands."""

import json

import cv2
import numpy as np
import pytest

import jaxvision
from jaxvision.cli.main import main
from jaxvision.inference.segmenter import Segmenter
from jaxvision.recipes import segmentation
from jaxvision.train.loop import run


def config(**changes):
    found = segmentation.defaults()
    found.update(image_size=(32, 48), batch_size=8, epochs=1, num_workers=0)
    found.data.update(train_images=16, val_images=8)
    found.model.update(widths=(4, 8))
    for name, value in changes.items():
        group, _, last = name.rpartition("__")
        (found[group] if group else found)[last] = value
    return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    run(segmentation.experiment(config(loss__class_weights="median_frequency")), folder)
    return folder


def test_a_run_records_its_metrics_and_pictures(trained):
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    last = {key: value for line in lines for key, value in line.items()}
    assert {"val/mIoU", "val/pixel_accuracy", "val/IoU/star"} <= set(last)
    pictures = {path.name.rpartition("_")[0] for path in (trained / "plots").iterdir()}
    assert pictures == {"val_predictions", "val_confusion"}


def test_a_loaded_run_predicts_and_measures_what_it_did(trained):
    segmenter = jaxvision.load(trained)
    assert isinstance(segmenter, Segmenter)
    assert len(segmenter.task.class_weights) == 5
    found = segmenter(np.zeros((70, 50, 3), np.uint8))
    assert found.label_map.shape == (70, 50)
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    expected = next(line["val/mIoU"] for line in lines if "val/mIoU" in line)
    assert segmenter.evaluate()["mIoU"] == pytest.approx(expected, rel=1e-5)


def test_commands_take_a_segmenter(trained, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((40, 60, 3), 80, np.uint8))
    arguments = ["predict", str(trained), str(tmp_path / "a.png"), "--save=json,csv,masks"]
    assert main([*arguments, f"--out={tmp_path / 'out'}", "--tile=64"]) == 0
    written = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.*")}
    assert written == {"a.png", "masks/a.png", "classes.txt", "predictions.json", "predictions.csv"}
    assert main(["evaluate", str(trained), f"--out={tmp_path / 'report'}"]) == 0
    assert "mIoU" in (tmp_path / "report" / "report.html").read_text()
    assert main(["info", str(trained)]) == 0
    assert main(["bench", str(trained), "--no-measure"]) == 0
    text = capsys.readouterr().out
    assert "a segmenter of the recipe segmentation" in text and "image 32 x 48" in text


def test_wrong_values_are_errors():
    with pytest.raises(ValueError, match="image_size must be a height and a width"):
        segmentation.experiment(config(image_size=(32, 32, 3)))
    with pytest.raises(ValueError, match="border_weight must be at least 0"):
        segmentation.experiment(config(loss__border_weight=-1.0))
    with pytest.raises(ValueError, match="rule must be one of median_frequency"):
        segmentation.experiment(config(loss__class_weights="inverse"))
    with pytest.raises(ValueError, match="data.num_classes must be 0 or 5"):
        segmentation.experiment(config(data__num_classes=3))


@pytest.mark.parametrize("source", segmentation.SOURCES)
def test_every_source_has_values(source):
    found = segmentation.defaults()
    segmentation.from_source(found, source)
    assert found.data.source == source and len(found.image_size) == 2
