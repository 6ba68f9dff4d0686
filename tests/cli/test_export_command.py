"""`jaxvision export`, and the other commands on its files."""

import dataclasses
import json

import cv2
import numpy as np
import pytest

from jaxvision import pretrained
from jaxvision.cli.main import main
from jaxvision.inference.load import load
from jaxvision.recipes import classification
from jaxvision.train import loop


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = classification.defaults()
    config.update(variant="lenet5_modern", image_size=32, batch_size=8, epochs=1, num_workers=0)
    config.update(mean=(0.1,), std=(0.8,))
    config.data.update(source="digits", train_images=8, val_images=12)
    config.augment.update(crop="pad", padding=0, flip=0)
    folder = tmp_path_factory.mktemp("run")
    loop.run(dataclasses.replace(classification.experiment(config), total_steps=0), folder)
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(3):
        image = cv2.resize(rng.integers(0, 256, (4, 4, 3), np.uint8), (40, 32))
        cv2.imwrite(str(folder / f"{number}.png"), image)
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory, run):
    for name in ("onnx", "onnxruntime"):
        pytest.importorskip(name, reason="needs the extra export")
    file = tmp_path_factory.mktemp("exported") / "digits.onnx"
    assert main(["export", str(run), f"--out={file}"]) == 0
    return file


def predictions(trained, photos, out):
    command = ["predict", str(trained), str(photos), f"--out={out}", "--save=json", "--no-draw"]
    assert main([*command, "--tta"]) == 0
    return json.loads((out / "predictions.json").read_text())


def test_a_file_predicts_and_is_measured_as_its_run(run, exported, photos, tmp_path, capsys):
    ours, theirs = (predictions(x, photos, tmp_path / x.name) for x in (run, exported))
    assert len(ours) == 3
    for one, other in zip(ours, theirs, strict=True):
        assert one["names"] == other["names"]
        for a, b in zip(one["classes"], other["classes"], strict=True):
            assert (a["name"], pytest.approx(a["probability"], abs=1e-5)) == tuple(b.values())
    capsys.readouterr()
    assert main(["evaluate", str(exported), f"--out={tmp_path / 'measured'}"]) == 0
    expected = load(run).evaluate()
    assert load(exported).evaluate() == pytest.approx(expected, abs=1e-4)


def test_int8_is_calibrated_on_pictures(run, photos, tmp_path, capsys):
    for name in ("onnx", "onnxruntime"):
        pytest.importorskip(name, reason="needs the extra export")
    file = tmp_path / "int8.onnx"
    command = ["export", str(run), f"--out={file}", "--precision=int8", "--pictures"]
    assert main([*command, str(photos)]) == 0
    assert "of 3 pictures have the same class" in capsys.readouterr().out
    found = load(file)(photos)
    wanted = load(run)(photos)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=0.1)
        assert not np.array_equal(one.probabilities, other.probabilities)
    assert list(tmp_path.iterdir()) == [file]
    assert main([*command, str(tmp_path / "none"), "--overwrite"]) == 2
    assert "none" in capsys.readouterr().err


def test_weights_are_loaded_with_their_config(run, tmp_path, capsys):
    file = tmp_path / "digits.safetensors"
    assert main(["export", str(run), f"--out={file}"]) == 0
    assert "read again bit for bit" in capsys.readouterr().out
    ours, theirs = load(run), load(file)
    assert theirs.origin.info == ours.origin.info
    image = np.full((32, 32, 3), 200, np.uint8)
    np.testing.assert_array_equal(theirs(image).probabilities, ours(image).probabilities)
    assert main(["export", str(run), f"--out={file}"]) == 2
    assert capsys.readouterr().err.startswith(f"error: {file} exists")
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ValueError, match="digits.safetensors is not complete"):
        load(file)


def test_weights_under_a_references_names(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(pretrained, "export", lambda name, variables: {name: np.ones(2)})
    file = tmp_path / "digits.safetensors"
    assert main(["export", str(run), f"--out={file}", "--names=reference"]) == 0
    with pytest.raises(ValueError, match="under a reference's names; pretrained.load"):
        load(file)


def test_files_of_others_are_one_line(run, tmp_path, capsys):
    onnx = pytest.importorskip("onnx", reason="needs the extra export")
    file = tmp_path / "other.onnx"
    for content, message in (
        (b"no protobuf", "is not a whole ONNX file"),
        (onnx.ModelProto(producer_name="x").SerializeToString(), "not written by jaxvision export"),
    ):
        file.write_bytes(content)
        assert main(["predict", str(file), "photo.png"]) == 2
        assert message in capsys.readouterr().err
    assert main(["predict", str(tmp_path / "none.onnx"), "photo.png"]) == 2
    assert "nothing there" in capsys.readouterr().err
    for command in ("push", "export"):
        more = ["me/x"] if command == "push" else ["--out=x.onnx"]
        assert main([command, str(file), *more]) == 2
        assert "expected the folder of a run, got the file" in capsys.readouterr().err
