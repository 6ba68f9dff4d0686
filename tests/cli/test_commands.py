"""The small commands: evaluate, info, bench, completion, and what all of them share."""

import dataclasses
import json
import os
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest

import jaxvision
from jaxvision.cli.config_names import config_file, config_names, nearest
from jaxvision.cli.main import main
from jaxvision.inference.load import load
from jaxvision.recipes import classification, detection
from jaxvision.train import loop


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A classifier's run of no steps."""
    config = classification.defaults()
    config.update(variant="lenet5_modern", image_size=32, batch_size=8, epochs=1, num_workers=0)
    config.update(mean=(0.1,), std=(0.8,))
    config.data.update(source="digits", train_images=8, val_images=12, test_images=12)
    config.augment.update(crop="pad", padding=0, flip=0)
    folder = tmp_path_factory.mktemp("run")
    loop.run(dataclasses.replace(classification.experiment(config), total_steps=0), folder)
    return folder


def test_evaluation_is_printed_and_written_as_one_page(run, capsys, tmp_path):
    assert main(["evaluate", str(run), f"--out={tmp_path}"]) == 0
    printed = capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["metrics"] == pytest.approx(load(run).evaluate("val"), nan_ok=True)
    assert re.search(f"accuracy +{report['metrics']['accuracy']:.3f}\n", printed)
    assert np.sum(report["confusion"]["counts"]) == 12 and report["split"] == "val"
    page = (tmp_path / "report.html").read_text()
    assert "Most confident mistakes" in page and page.count('src="data:image/') >= 5
    # It opens without a network.
    assert not re.search(r"(src|href)=\"(?!data:|#)|<script|@import|url\((?!#)", page)


def test_evaluation_of_another_split_is_beside_the_run(run, capsys):
    assert main(["evaluate", str(run), "--split=other"]) == 0
    assert (run / "evaluation" / "other" / "report.html").exists()
    capsys.readouterr()
    assert main(["evaluate", str(run / "none")]) == 2
    assert "expected the work directory of a run" in capsys.readouterr().err


def test_options_of_a_detectors_evaluation(run, capsys):
    for flags, words in (
        (["--metric=voc07"], "holds a classifier, whose evaluation takes no --metric"),
        (["--tta"], "holds a classifier, whose evaluation takes no --tta"),
    ):
        assert main(["evaluate", str(run), *flags]) == 2
        assert words in capsys.readouterr().err
    assert main(["evaluate", f"{run},{run}"]) == 2
    assert "an ensemble must be of detectors, got a classifier" in capsys.readouterr().err
    assert main(["evaluate", f"{run},"]) == 2
    assert "must be RUN,RUN,... without spaces" in capsys.readouterr().err


@pytest.mark.slow  # two runs of a detector
def test_evaluation_of_several_detectors(capsys, tmp_path):
    for seed in (0, 1):
        config = detection.defaults("yolox")
        config.update(variant="yolox_nano", image_size=32 * (1 + seed), batch_size=4, seed=seed)
        config.data.update(source="shapes", train_images=4, val_images=4)
        config.eval.metric = "voc10"
        experiment = detection.experiment(config)
        assert experiment.best.name == "val/VOC10"
        loop.run(dataclasses.replace(experiment, total_steps=0), tmp_path / str(seed))
    runs = f"{tmp_path / '0'},{tmp_path / '1'}"
    assert main(["evaluate", runs]) == 2
    assert "--out must name a folder" in capsys.readouterr().err
    flags = ["--nms=fusion", "--tta", "--metric=voc07", f"--out={tmp_path / 'both'}"]
    assert main(["evaluate", runs, *flags]) == 0
    report = json.loads((tmp_path / "both" / "report.json").read_text())
    assert 0 <= report["metrics"]["VOC07"] <= 1 and "VOC07" in report["classes"]["circle"]
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((40, 40, 3), np.uint8))
    found = ["predict", runs, str(tmp_path / "a.png"), "--nms=soft_linear", "--save=json"]
    assert main([*found, f"--out={tmp_path / 'found'}"]) == 0
    assert json.loads((tmp_path / "found" / "predictions.json").read_text())


def test_info_of_a_run(run, capsys):
    assert main(["info", str(run)]) == 0
    printed = capsys.readouterr().out
    for words in ("a classifier of the recipe classification", "lenet5_modern", "best step    0"):
        assert words in printed
    assert "classes      10: 0, 1, 2" in printed and "val/accuracy" in printed
    assert main(["info", str(run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["config"]["data.val_images"] == 12 and "seed" not in found["config"]
    assert found["parameters"] == 61706


def test_info_of_a_file(tmp_path, capsys):
    np.savez(tmp_path / "some.npz", a=np.zeros((2, 3), np.float32))
    assert main(["info", str(tmp_path / "some.npz")]) == 0
    printed = capsys.readouterr().out
    assert "1 arrays of float32, as a" in printed and "the file's name does not tell" in printed
    (tmp_path / "x.pth").write_bytes(b"")
    assert main(["info", str(tmp_path / "x.pth")]) == 2
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize("damage", ["meta", "state"])
def test_run_that_is_half_written(run, tmp_path, capsys, damage):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "checkpoints").mkdir()
    assert main(["info", str(tmp_path)]) == 2
    assert "has no checkpoint yet: its run was stopped before the first" in capsys.readouterr().err
    subprocess.run(["cp", "-r", str(run / "checkpoints"), str(tmp_path)], check=True)
    subprocess.run(["rm", "-r", str(tmp_path / "checkpoints" / "0" / damage)], check=True)
    assert main(["info", str(tmp_path)]) == 2
    printed = capsys.readouterr().err
    assert re.search("checkpoint.* cannot be read", printed) and printed.count("\n") == 1


def test_bench_counts_and_measures(run, capsys):
    # Twice the multiplications that torchvision states.
    assert main(["bench", "resnet50", "--no-measure", "--depth=1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["parameters"] == 25_557_032
    assert found["flops"] == pytest.approx(2 * 4.089e9, rel=1e-3)
    assert [layer["name"] for layer in found["layers"]] == ["backbone", "head"]
    assert main(["bench", str(run), "--batch-size=2", "--seconds=0.01"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"batch 2 +[\d.]+ ms, [\d.,]+ inputs/s, memory", printed)
    assert main(["bench", "resnet51", "--no-measure"]) == 2
    assert "resnet50" in capsys.readouterr().err


@pytest.mark.parametrize("variant", ["transformer_tiny", "lenet5", "retinanet_tiny"])
def test_bench_puts_every_operation_into_a_layer(variant, capsys):
    assert main(["bench", variant, "--no-measure", "--depth=2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert all(layer["name"] for layer in found["layers"]) and found["flops"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("variant", jaxvision.models.variants())
def test_bench_counts_every_variant(variant, capsys):
    assert main(["bench", variant, "--no-measure", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["flops"] > 0


def test_version_and_module():
    command = [sys.executable, "-m", "jaxvision", "--version"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stdout == f"jaxvision {jaxvision.__version__}\n"


def test_completion(capsys):
    for shell in ("bash", "zsh", "fish"):
        assert main(["completion", shell]) == 0
        script = capsys.readouterr().out
        assert "predict" in script and "yolox" in script and "class-agnostic" in script
    main(["completion", "bash"])
    script = capsys.readouterr().out
    for words, expected in (
        ("jaxvision pre", "predict"),
        ("jaxvision predict --thr", "--threshold"),
        ("jaxvision train --config yolox", "yolox"),
        ("jaxvision train --config = reti", "retinanet"),
    ):
        ask = f"COMP_WORDS=({words}); COMP_CWORD={len(words.split()) - 1}; _jaxvision"
        asked = f"{script}\n{ask}; echo ${{COMPREPLY[@]}}"
        found = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
        assert found.stdout.split() == [expected], found.stderr


def test_configs_by_name(tmp_path, monkeypatch):
    assert {"yolox", "retinanet", "classify_folder"} <= set(config_names())
    assert config_file("yolox").name == "yolox.py"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("")
    assert str(config_file("mine.py")) == "mine.py"
    assert nearest("min.py") == "mine.py" and nearest("yolo") == "yolox" and nearest("zz") is None
    with pytest.raises(FileNotFoundError, match="'yolo' is neither; did you mean yolox"):
        config_file("yolo")


def test_no_device_is_a_message(run):
    environment = os.environ | {"JAX_PLATFORMS": "cuda"}
    for command in (["info", str(run)], ["train", "--config=yolox", f"--workdir={run}/new"]):
        found = subprocess.run(
            [sys.executable, "-m", "jaxvision", *command],
            capture_output=True,
            text=True,
            env=environment,
        )
        assert found.returncode != 0 and "Traceback" not in found.stderr
        assert "JAX finds no device for JAX_PLATFORMS=cuda" in found.stderr


def test_missing_extra_is_named(monkeypatch, tmp_path, capsys):
    from jaxvision.data.text.tokenizer import SubwordTokenizer

    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"pip install 'jaxvision\[text\]'"):
        SubwordTokenizer("{}")


def test_results_are_saved(run, tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    found = load(run).replaced(tta=True)(image)
    assert json.loads(found.to_json())["names"] == found.names
    assert found.save(tmp_path / "new" / "a.json").read_text() == found.to_json() + "\n"
    for name in ("a.png", "a.jpg"):
        assert cv2.imread(str(found.save(tmp_path / name))) is not None
    with pytest.raises(ValueError, match=r"path must end in one of .json, .png, .*got .*a.bmp"):
        found.save(tmp_path / "a.bmp")
    both = load(run)([image, image[:, ::-1]])
    mean = (both[0].probabilities + both[1].probabilities) / 2
    np.testing.assert_allclose(found.probabilities, mean, atol=1e-6)


def test_help_explains_the_values(capsys):
    from jaxvision.cli.config_help import config_help

    text = config_help(detection.defaults(), detection)
    assert "--config.seed=0" in text
    assert re.search(r"config.patience=0\n +evaluations without a better value after which", text)
    assert re.search(r"config.eval.nms_threshold=0.65\n +IoU above which the worse", text)
