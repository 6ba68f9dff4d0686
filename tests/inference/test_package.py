"""A run that is packed, pushed and loaded again, by a client that stands in for the Hub's."""

import dataclasses
import json
import shutil
import types

import jax
import numpy as np
import pytest
import safetensors
import safetensors.numpy

from jaxvision.cli.main import main
from jaxvision.inference.load import load
from jaxvision.recipes import classification, detection
from jaxvision.recipes.weights import part_of_run, read_weights
from jaxvision.train import loop
from jaxvision.train.package import read_package, write_package
from jaxvision.train.saved import read_checkpoint


@pytest.fixture(scope="module")
def config():
    config = classification.defaults()
    config.update(variant="lenet5_modern", image_size=32, batch_size=8, epochs=1, num_workers=0)
    config.update(mean=(0.1,), std=(0.8,))
    config.data.update(source="digits", train_images=8, val_images=12)
    config.augment.update(crop="pad", padding=0, flip=0)
    return config


@pytest.fixture(scope="module")
def run(tmp_path_factory, config):
    folder = tmp_path_factory.mktemp("run")
    loop.run(dataclasses.replace(classification.experiment(config), total_steps=0), folder)
    return folder


@pytest.fixture
def client(tmp_path, monkeypatch):
    """Holds one repository in a folder."""
    made = types.ModuleType("huggingface_hub")
    made.folder, made.calls = tmp_path / "repository", []

    def upload_folder(*, repo_id, folder_path, commit_message):
        made.calls.append(repo_id)
        shutil.copytree(folder_path, made.folder)

    def snapshot_download(name, *, allow_patterns):
        if name != "me/digits":
            raise RuntimeError(f"404: {name}\nlong story")
        assert not any(pattern in allow_patterns for pattern in ("*", "*.py", "*.bin"))
        return str(made.folder)

    made.create_repo = lambda name, *, private, exist_ok: made.calls.append((name, private))
    made.upload_folder, made.snapshot_download = upload_folder, snapshot_download
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", made)
    return made


def test_pushed_run_is_loaded_by_its_address(run, client, capsys):
    assert main(["push", str(run), "me/digits", "--private", "--license=apache-2.0"]) == 0
    assert client.calls == [("me/digits", True), "me/digits"]
    assert 'jaxvision.load("hf://me/digits")' in capsys.readouterr().out
    assert {x.name for x in client.folder.iterdir()} == {
        "README.md",
        "config.json",
        "model.safetensors",
    }
    ours, theirs = load(run), load("hf://me/digits")
    assert type(theirs) is type(ours) and theirs.origin.info == ours.origin.info
    jax.tree.map(np.testing.assert_array_equal, theirs.variables, ours.variables)

    card = (client.folder / "README.md").read_text()
    for words in ("license: apache-2.0", "pipeline_tag: image-classification", "| val/accuracy |"):
        assert words in card
    assert "## 10 classes" in card and 'load("hf://me/digits")' in card

    variables = read_weights("hf://me/digits", "resnet50")  # the name is for files alone
    jax.tree.map(np.testing.assert_array_equal, variables, read_checkpoint(run)[0])


def test_package_tells_nothing_of_the_machine(tmp_path):
    config = {"data": {"path": "/home/me", "tokenizer": "/home/me/x", "source": "voc"}}
    meta = {"config": {**config, "weights": "/home/me/y"}, "info": {}}
    write_package(tmp_path, {"params": {"kernel": np.ones(2)}}, meta, 3)
    assert "/home/me" not in (tmp_path / "config.json").read_text()
    assert read_package(tmp_path)[1]["config"]["data"]["source"] == "voc"


def test_damaged_packages_are_errors(run, tmp_path, capsys):
    assert main(["push", str(run), "me/digits", f"--out={tmp_path}"]) == 0
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ValueError, match="model.safetensors is not a complete"):
        read_package(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ValueError, match=r"config.json is not that of a model of jaxvision"):
        load(tmp_path)


def test_addresses_and_faults_of_the_hub_are_one_line(run, client, capsys):
    for name in ("digits", "../me/digits", "me/../digits", "me/digits/more"):
        assert main(["push", str(run), name]) == 2
        assert "expected hf://owner/name" in capsys.readouterr().err
    with pytest.raises(OSError, match=r"hf://me/other cannot be downloaded: 404: me/other$"):
        load("hf://me/other")


def test_missing_extra_is_one_line(run, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    assert main(["push", str(run), "me/digits"]) == 2
    assert "pip install 'jaxvision[hub]'" in capsys.readouterr().err


def test_weights_of_a_run_or_one_of_its_checkpoints(run, config):
    expected = read_checkpoint(run)[0]
    for given in (run, run / "checkpoints" / "0"):
        jax.tree.map(np.testing.assert_array_equal, read_weights(str(given), ""), expected)
    assert part_of_run(str(run), config) == ""
    detector = detection.defaults()
    detector.update(variant="yolox_nano", backbone="lenet5_modern")
    assert part_of_run(str(run), detector) == "backbone"
    detector.backbone = ""
    with pytest.raises(ValueError, match="run of lenet5_modern, and this config is of yolox nano"):
        part_of_run(str(run), detector)
    assert part_of_run("resnet50", config) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("resnet51", "there is no resnet51; a name must be one of resnet50"),
        ("nothing.pth", "and there is no nothing.pth$"),
        ("resnet50", "run: jaxvision download resnet50"),
    ],
)
def test_what_is_not_there_is_answered_by_what_to_do(given, message, tmp_path, monkeypatch):
    monkeypatch.setenv("JAXVISION_CACHE", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=message):
        read_weights(given, "resnet50")
    with pytest.raises(FileNotFoundError, match="weights: .* holds no checkpoints"):
        read_weights(str(tmp_path), "resnet50")


def test_what_is_no_config_or_no_weights_of_it_is_one_line(run, tmp_path):
    arrays = {"params/none": np.ones(3, np.float32)}
    load(run).export(tmp_path / "a.safetensors")
    with safetensors.safe_open(tmp_path / "a.safetensors", "numpy") as file:
        meta = json.loads(file.metadata()["jaxvision"])

    def written(meta, arrays):
        text = {"jaxvision": json.dumps(meta)}
        safetensors.numpy.save_file(arrays, tmp_path / "b.safetensors", metadata=text)
        return tmp_path / "b.safetensors"

    for words, changed in (
        ("not those of its config", {}),
        ("another version of the recipe", {"config": [1]}),
        ("which is not in jaxvision.recipes", {"recipe": ["os"]}),
        ("does not describe", {"config": meta["config"] | {"eval": []}}),
        ("is not that of a model", {"step": 1e400}),
    ):
        with pytest.raises(ValueError, match=words) as error:
            load(written(meta | changed, arrays))
        assert "\n" not in str(error.value)
    nan = {"params/none": np.full(3, np.nan, np.float32)}
    with pytest.raises(ValueError, match=r"b\.safetensors: params/none holds NaN"):
        load(written(meta, nan))
    for names in (["a", "a/b"], ["/".join("a" * 100)]):
        with pytest.raises(ValueError, match=r"b\.safetensors"):
            load(written(meta, {name: np.ones(3, np.float32) for name in names}))
