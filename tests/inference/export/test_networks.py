"""Networks of the catalogue and every detector of the recipes, exported."""

import subprocess
import sys

import jax
import numpy as np
import pytest
from network import filled
from test_lowering import CONFIGS, SMALLEST, info_of

from jaxvision.cli.config_file import load
from jaxvision.data.augment.letterbox import Letterbox
from jaxvision.inference.detector import Detector
from jaxvision.inference.networks import network
from jaxvision.inference.translator import Translator
from jaxvision.recipes import detection

pytest.importorskip("onnx", reason="needs the extra export")
ort = pytest.importorskip("onnxruntime", reason="needs the extra export")

from jaxvision.inference.onnx_graph.convert import convert  # noqa: E402

# They take regions that selective search finds before, or draw masks.
OTHERS = ("fast_rcnn", "rcnn", "spp_net", "mask_rcnn")
DETECTORS = [
    name
    for name in SMALLEST
    if name not in OTHERS and load(CONFIGS / f"{name}.py").recipe is detection
]
pytestmark = pytest.mark.slow


def detector_of(name):
    argument, changes = SMALLEST[name]
    config = load(CONFIGS / f"{name}.py").get_config(argument)
    config.update(changes)
    info = info_of(detection, config)
    task = detection.task(config, info)
    size = (config.image_size, config.image_size)
    image = np.zeros((1, *size, 3), np.uint8)
    params, state = jax.eval_shape(task.init, jax.random.key(0), {"image": image})
    return Detector(task, filled({"params": params, **state}), Letterbox(size))


def rows_of(output):
    """Boxes, as shares of the image, beside scores [B, A, 4 + K]."""
    boxes, scores = (np.asarray(output[name]) for name in ("boxes", "scores"))
    return np.concatenate([boxes / 64, scores.reshape(*boxes.shape[:2], -1)], axis=-1)


@pytest.mark.parametrize(
    "name", ["resnet18", "resnet50", "vit_b_16", "swin_t", "mobilenet_v3_small"]
)
def test_logits_in_onnx(name):
    found = network(name)
    (images,) = found.inputs(2)
    variables = filled(jax.eval_shape(found.init, jax.random.key(0)))
    model = convert(
        lambda x: {"logits": found.apply(variables, x)}, images.shape[1:], np.float32, name="image"
    )
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = np.asarray(jax.jit(found.apply)(variables, images))
    assert expected.std() > 0.01 * np.abs(expected).max()
    for count in (1, 2):
        (logits,) = session.run(None, {"image": images[:count]})
        np.testing.assert_allclose(logits, expected[:count], atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_in_onnx_and_openvino(name, tmp_path):
    made = detector_of(name)
    # What is written has been compared.
    file = made.export(tmp_path / "model.onnx").path
    made.export(tmp_path / "nms.onnx", nms=True)
    openvino = pytest.importorskip("openvino", reason="needs openvino")
    network = openvino.Core().compile_model(str(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    expected = made.served().apply(made.variables, images)
    found = network(images)
    for wanted, got in zip(rows_of(expected), rows_of(found), strict=True):
        # Each has its counterpart: rows of nearly equal scores may change their places.
        distances = np.abs(wanted[:, None] - got[None]).max(axis=-1)
        assert distances.min(axis=1).max() < 1e-3 and distances.min(axis=0).max() < 1e-3


@pytest.mark.parametrize("name", ["transformer_multi30k", "seq2seq_multi30k"])
def test_stablehlo_of_a_translator_runs_without_the_library(tmp_path, name):
    argument, changes = SMALLEST[name]
    module = load(CONFIGS / f"{name}.py")
    config = module.get_config(argument)
    config.update(changes)
    task = module.recipe.task(config, info_of(module.recipe, config))
    batch = {name: np.ones((1, 8), np.int32) for name in ("source", "target")}
    params, _ = jax.eval_shape(task.init, jax.random.key(0), batch)
    made = Translator(task, {"params": filled({"params": params})["params"]}, max_length=16)
    file = made.export(tmp_path / "model.stablehlo").path
    program = f"""
import sys, jax.export, numpy as np
with open({str(file)!r}, "rb") as opened:
    read = jax.export.deserialize(bytearray(opened.read()))
print(read.call(np.ones((2, 16), np.int32))["tokens"].shape)
assert "jaxvision" not in sys.modules and "flax" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("(2, ")
