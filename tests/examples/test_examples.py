"""The programs in examples/ run, and learn."""

import dataclasses
import importlib.util
import inspect
import pathlib
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision import models
from jaxvision.ops.objects import Objects
from jaxvision.ops.points import anchor_points
from jaxvision.train import loop

ROOT = pathlib.Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def lines_of_code(text):
    without_docstrings = re.sub(r'"""[\s\S]*?"""', "", text)
    return [line for line in without_docstrings.splitlines() if re.search(r"\w", line)]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_is_short_and_names_its_command(path):
    text = path.read_text()
    assert f"python examples/{path.name} --workdir=runs/" in text
    assert len(lines_of_code(text)) <= 80


def test_own_task_counts_objects(tmp_path, capsys):
    own_task = load("own_task")
    made = own_task.experiment(steps=2, batch_size=8, image_size=32, pictures=40)
    # A smaller network than the example's, which compiles in a second.
    lenet = models.classifier("lenet5_modern", num_classes=1)
    result = loop.run(dataclasses.replace(made, task=own_task.Counting(lenet)), tmp_path)
    batch = next(iter(made.eval_data["val"].data))
    assert batch["count"][batch["mask"]].min() >= 1 and batch["mask"].sum() == 4
    assert 1 < result.metrics["val/error"] < 10


def test_own_method_gives_each_object_one_cell_of_its_level():
    own_method = load("own_method")
    points = anchor_points(128, 128, (8, 16, 32))
    boxes = jnp.float32([[10, 10, 26, 26], [30, 40, 110, 120], [0, 0, 5, 5], [8, 8, 9, 9]])
    objects = Objects(boxes, jnp.arange(4), jnp.array([True, True, True, False]))
    matched = np.asarray(own_method.centre_cell(points, objects).matched)
    centers, strides = np.asarray(points.centers), np.asarray(points.strides)
    # Sides of 16, 80 and 5 pixels; the last row is padding.
    assert strides[matched == 0].tolist() == [8] and strides[matched == 1].tolist() == [32]
    # Its centre (18, 18) is in the cell from 16 to 24; (2.5, 2.5) in the first one.
    assert centers[matched == 0].tolist() == [[20, 20]]
    assert strides[matched == 2].tolist() == [8] and 3 not in matched
    assert centers[matched == 2].tolist() == [[4, 4]]


def test_own_model_has_the_features_that_detectors_ask_for():
    own_model = load("own_model")
    images = jax.ShapeDtypeStruct((2, 64, 64, 3), jnp.float32)
    key = jax.random.key(0)
    backbone = own_model.patchwork("patchwork_m")
    features, _ = jax.eval_shape(
        lambda key, images: backbone.init_with_output(key, images, train=False), key, images
    )
    assert {s: x.shape for s, x in features.items()} == {
        8: (2, 8, 8, 64),
        16: (2, 4, 4, 128),
        32: (2, 2, 2, 256),
    }
    output, _ = jax.eval_shape(
        lambda key, images: own_model.detector(3).init_with_output(key, images, train=False),
        key,
        images,
    )
    assert output.class_logits.shape == (2, 64 + 16 + 4, 3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "flag", "metric", "least"),
    [
        ("own_task", "--steps=60", "val/error", None),
        ("own_method", "--epochs=3", "val/AP50", 0.02),
        ("own_model", "--epochs=1", "val/accuracy", 0.3),
    ],
)
def test_program_learns(name, flag, metric, least, tmp_path):
    command = [sys.executable, f"examples/{name}.py", f"--workdir={tmp_path / 'run'}", flag]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    metrics = [
        line
        for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
        if f'"{metric}"' in line
    ]
    found = float(re.search(rf'"{metric}": ([\d.e-]+)', metrics[-1])[1])
    assert done.returncode == 0
    assert found < 1.6 if least is None else found > least


def test_every_example_is_explained():
    text = (ROOT / "docs" / "extend.md").read_text()
    for path in EXAMPLES:
        assert f"examples/{path.name}" in text
    assert inspect.getdoc(load("own_task").Counting).startswith("Estimates")
