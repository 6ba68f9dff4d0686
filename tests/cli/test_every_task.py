"""Every command on a run of every task, trained for a step."""

import contextlib
import pathlib
import shlex

import cv2
import planted
import pytest
import small_data
import small_runs

from jaxvision.cli.main import main
from jaxvision.inference.demo.server import DemoServer

pytestmark = pytest.mark.slow

TEXT = "the dog"
# What the run of a config predicts. Left out is ZSSR, which trains a network for every picture: two
# predictions, an evaluation and a measurement take many minutes.
RUNS = {
    **dict.fromkeys(
        ("yolox", "faster_rcnn", "mask_rcnn", "fast_rcnn", "hog_svm", "lenet_mnist", "rbm"),
        "photos/",
    ),
    **dict.fromkeys(("unet", "srcnn", "srgan"), "photos/"),
    "video": "clip.avi",
    "ddpm": "--count=2",
    "dcgan": "--count=2",
    "protonet": "photos/ --support=known",
    "siamese": "photos/ --support=known",
    "lstm": f"'{TEXT}'",
    "gpt": f"'{TEXT}'",
    "text_classifier": f"'{TEXT}'",
    "word2vec": "horse",
    "node2vec": "0",
    "gcn": "",
    "transformer_multi30k": "text.txt",
    "seq2seq_multi30k": "text.txt",
}
# What a run cannot be, and what the message says of it.
REFUSED = {
    ("demo", "video"): "this run takes clips",
    ("demo", "gcn"): "use jaxvision predict",
    **{
        (f"export.{ending}", name): "safetensors"
        for ending in ("onnx", "stablehlo")
        for name in ("mask_rcnn", "fast_rcnn", "ddpm", "word2vec", "node2vec", "gcn")
    },
    ("export.onnx", "transformer_multi30k"): "no ONNX form",
    ("export.onnx", "seq2seq_multi30k"): "no ONNX form",
}
# Runs whose ONNX file is a predictor.
OPENED = ("yolox", "faster_rcnn", "hog_svm", "lenet_mnist", "rbm", "unet", "srcnn", "srgan")
OPENED += ("video", "protonet")


def write_inputs():
    for i in range(2):
        small_data.save(pathlib.Path("photos", f"{i}.png"), planted.pixels(i))
    for name in "ab":
        small_data.save(pathlib.Path("known", name, "0.png"), small_data.image(ord(name)))
    pathlib.Path("text.txt").write_text("one dog\n")
    writer = cv2.VideoWriter("clip.avi", cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for i in range(20):
        writer.write(planted.pixels(i))
    writer.release()


@pytest.mark.parametrize("name", RUNS)
def test_every_command(name, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(DemoServer, "serve_forever", small_runs.ctrl_c)
    inputs, run = RUNS[name], f"runs/{name}"
    support = " --support=known" if "--support" in inputs else ""
    commands = {
        "predict": f"predict {run} {inputs} --out=found --save=json,csv",
        "evaluate": f"evaluate {run}",
        "info": f"info {run}",
        "bench": f"bench {run}",
        "demo": f"demo {run} --port=0{support}",
        **{
            f"export.{ending}": f"export {run} --out=model.{ending}"
            for ending in ("safetensors", "stablehlo", "onnx")
        },
    }
    if name in OPENED:
        commands["opened"] = f"predict model.onnx {inputs} --out=opened"
    with contextlib.chdir(tmp_path), small_runs.compiled_quickly():
        write_inputs()
        small_runs.train(name, pathlib.Path("runs", name))
        for kind, command in commands.items():
            if "onnx" in command:
                for package in ("onnx", "onnxruntime"):
                    pytest.importorskip(package, reason="it needs the extra export")
            capfd.readouterr()
            code = main(shlex.split(command))
            message = capfd.readouterr().err
            wanted = REFUSED.get((kind, name))
            assert code == (2 if wanted else 0), f"{command}: {message}"
            assert wanted is None or wanted in message, command
