"""Commands of README and documentation, run on small data.

A command of training builds its whole experiment and reads a batch and an evaluation batch: all but
the compiled step, which other tests run. The other commands run as they stand, on runs that were
trained for a step.
"""

import contextlib
import functools
import gzip
import json
import os
import pathlib
import re
import shlex
import shutil

import cv2
import planted
import pytest
import small_data
import small_runs
import toy_translation
from documented import TEXTS, check, shown, simple_commands

from jaxvision.cli.main import main
from jaxvision.inference.demo.server import DemoServer

pytestmark = pytest.mark.slow

# What the texts call data of others: no small file of them can be made here.
FOREIGN = ("tfds:",)


def trained_commands():
    """Training commands by their text, each once; `parse` gives what they say."""
    found = {}
    for path in TEXTS:
        for command in shown(path):
            for each in check(command) if "train" in command.text else []:
                found.setdefault(" ".join(command.text.split()), each)
    return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Makes what commands name, once: a folder with the run `runs/NAME` and its data, or a file."""

    @functools.cache
    def made(name):
        folder = tmp_path_factory.mktemp(name)
        with contextlib.chdir(folder):
            if name.endswith(".onnx"):
                shutil.copytree(made(name.removesuffix(".onnx")), folder, dirs_exist_ok=True)
                assert main(["export", f"runs/{name.removesuffix('.onnx')}", f"--out={name}"]) == 0
            else:
                small_runs.train(name, pathlib.Path("runs", name))
        return folder

    return made


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current folder; what is computed there is compiled quickly, not well."""
    monkeypatch.chdir(tmp_path)
    with small_runs.compiled_quickly():
        yield tmp_path


COMMANDS = trained_commands()


@pytest.mark.parametrize("text", COMMANDS)
def test_training_command_reads_its_data(text, here, trained, capsys):
    command = COMMANDS[text]
    if command.config.data.source.startswith(FOREIGN):
        pytest.skip(f"no small data in the format {command.config.data.source}")
    if "teacher=" in text:
        shutil.copytree(trained("teacher"), here, dirs_exist_ok=True)
    experiment = command.recipe.experiment(small_runs.small(command))
    batches = experiment.train_data.batches(0)
    assert experiment.train_data.rows(next(batches)) > 0
    batches.close()
    for each in experiment.eval_data.values():
        assert each.data.rows(next(iter(each.data))) > 0


def other_commands():
    """Commands of `jaxvision` but for training, each once."""
    found = {}
    for path in TEXTS:
        for command in shown(path):
            if command.text.startswith("--"):
                continue
            for words in simple_commands(command.text):
                if words[0] == "jaxvision" and words[1:2] != ["train"] and len(words) > 2:
                    found[shlex.join(words[1:])] = None
    return list(found)


# What needs a file that nobody can make here: weights of others, other data; or the network; and
# what stands for the reader's own choice.
NOT_RUN = (".pth", "train2017", "download ", "push ", "hf://", " FILE", " RUN")
# What stands in a sentence, without what would be read.
INCOMPLETE = ("cross-validate --folds=5", "predict yolox.onnx")
# What needs an extra, and its packages.
EXTRAS = {".onnx": ("onnx", "onnxruntime"), "saved_model": ("tensorflow",)}


def write_inputs(folder):
    """Writes the pictures and texts that commands name."""
    video = cv2.VideoWriter(
        str(folder / "holiday.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48)
    )
    for i in range(20):  # as many as a network of clips sees
        video.write(planted.pixels(i))
    video.release()
    for i in range(3):
        small_data.save(folder / "photos" / f"{i}.jpg", planted.pixels(i))
        outline = {"label": "cat", "shape_type": "polygon", "points": [[4, 4], [40, 4], [4, 30]]}
        drawn = {"imagePath": f"{i}.jpg", "imageWidth": 64, "imageHeight": 48, "shapes": [outline]}
        (folder / "photos" / f"{i}.json").write_text(json.dumps(drawn))
    for name in ("first.png", "second.png", "letters/new/0.png", "image.jpg"):
        small_data.save(folder / name, small_data.image(len(name)))
    for name in "ab":
        small_data.save(folder / "letters" / "known" / name / "0.png", small_data.image(ord(name)))
    for name in ("SET5", "SET14", "bicubic", "srresnet", "srgan", "truth"):
        small_data.save(folder / name / "bird.png", small_data.image(len(name), 96))
    for name, sentences in (("en", toy_translation.ENGLISH), ("de", toy_translation.GERMAN)):
        for stem in ("test", "test_2016_flickr"):
            content = "".join(f"{line}\n" for line in sentences).encode()
            (folder / f"{stem}.{name}.gz").write_bytes(gzip.compress(content))


def write_votes(folder):
    """Writes the page of opinions, and the votes of two people."""
    words = ["opinions", "make", "bicubic/", "srresnet/", "srgan/", "truth/", "--out=sheet.html"]
    assert main(words) == 0
    key = json.loads((folder / "sheet.key.json").read_text())
    for person in (1, 2):
        votes = {name: person + 1 for name in key["pictures"]}
        content = json.dumps({"sheet": key["sheet"], "votes": votes})
        (folder / f"votes_{person}.json").write_text(content)


@pytest.mark.parametrize("text", other_commands())
def test_command_runs(text, here, trained, monkeypatch, capfd):
    if text in INCOMPLETE or any(word in text for word in NOT_RUN):
        pytest.skip("it needs a file of its user, or the network")
    for word, packages in EXTRAS.items():
        for package in packages if word in text else ():
            pytest.importorskip(package, reason="it needs an extra")
    write_inputs(here)
    if "votes" in text:
        write_votes(here)
    words = shlex.split(text)
    for name in small_runs.named(text) + [x for x in words if re.fullmatch(r"\w+\.onnx", x)]:
        shutil.copytree(trained(name), here, dirs_exist_ok=True)
    flags = dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
    if "source" in flags:
        (here / flags["path"]).mkdir()
        splits = {flags.get(part, part) for part in ("split", "train", "val")} - {"split"}
        for number, split in enumerate(sorted(splits)):
            small_data.READ[flags["source"]](here / flags["path"], split, number)
    monkeypatch.setattr(DemoServer, "serve_forever", small_runs.ctrl_c)
    with open(os.devnull) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        assert main(words) == 0, capfd.readouterr().err
