import base64
import importlib.util
import pathlib
import shutil
import subprocess
import sys
import types

import cv2
import nbclient
import nbformat
import numpy as np
import pytest
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

FOLDER = pathlib.Path(__file__).parents[2] / "colabs"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


class ThisInterpreter(KernelSpecManager):
    """Starts a kernel of the interpreter that runs the tests, whatever kernels are installed."""

    def get_kernel_spec(self, kernel_name):
        return KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            language="python",
            env={"JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""},
        )


def execute(name, workdir, **small):
    """Runs a notebook from top to bottom with other settings; returns its cells of code."""
    notebook = nbformat.read(FOLDER / name, as_version=4)
    (parameters,) = (c for c in code_cells(notebook) if "parameters" in c.metadata.get("tags", ()))
    before = settings(parameters.source)
    small |= {"workdir": str(workdir)} if "workdir" in before else {}
    assert set(small) <= set(before)
    parameters.source += "".join(f"\n{name} = {value!r}" for name, value in small.items())

    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(FOLDER)}}
    )
    client.km = client.create_kernel_manager()
    client.km.kernel_spec_manager = ThisInterpreter()
    client.execute()  # Raises where a cell does.

    cells = code_cells(notebook)
    for cell in cells:
        assert cell.execution_count
        assert not [o for o in cell.outputs if o.output_type == "error"]
    for cell in cells:
        if "-m jaxvision train" in cell.source:
            assert printed(cell) and "error:" not in printed(cell)
    return cells


def settings(source):
    values = {}
    exec(source, values)
    return values


def printed(cell):
    """What a cell has printed."""
    return "".join(o.text for o in cell.outputs if o.output_type == "stream")


def picture(cell):
    """The one picture that a cell has drawn, which is not empty."""
    (figure,) = (o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {}))
    image = cv2.imdecode(np.frombuffer(base64.b64decode(figure), np.uint8), cv2.IMREAD_COLOR)
    assert min(image.shape[:2]) > 200
    assert image.std() > 10
    return image


@pytest.mark.slow
def test_quickstart(tmp_path):
    small = dict(
        variant="nano", image_size=32, batch_size=8, epochs=1, train_images=16, val_images=8
    )
    *_, curve, detections = execute("quickstart.ipynb", tmp_path / "run", **small, log_every=1)
    assert (tmp_path / "run" / "checkpoints" / "2").is_dir()
    picture(curve)
    picture(detections)


@pytest.mark.slow
def test_vision_transformer(tmp_path):
    small = dict(patch=8, width=16, depth=2, epochs=1, batch_size=500)
    *_, rollout, positions = execute("vision_transformer.ipynb", tmp_path / "run", **small)
    picture(rollout)
    picture(positions)


@pytest.mark.slow
def test_simota(tmp_path):
    *_, candidates, _, costs, assignment = execute("simota.ipynb", tmp_path)
    for cell in (candidates, costs, assignment):
        picture(cell)


@pytest.mark.slow
def test_yolox_weights_without_a_network(tmp_path):
    missing = dict(address=f"file://{tmp_path}/none.pth", file=str(tmp_path / "none.pth"))
    *_, weights, _, found, objectness = execute(
        "yolox_weights.ipynb", tmp_path, image_size=64, **missing
    )
    assert "random ones, which find nothing" in printed(weights)
    picture(found)
    picture(objectness)


@pytest.mark.slow
def test_own_task(tmp_path):
    *_, run, result = execute("own_task.ipynb", tmp_path / "run", steps=10, image_size=32)
    assert "psnr" in printed(run)
    picture(result)


@pytest.mark.slow
def test_translation(tmp_path):
    small = dict(text=str(tmp_path / "text"), epochs=2)
    *_, translated, attention = execute("translation.ipynb", tmp_path / "run", **small)
    assert printed(translated).count("(is: ") == 13
    picture(attention)


@pytest.mark.slow
def test_word_vectors(tmp_path):
    *_, found, drawn = execute("word_vectors.ipynb", tmp_path / "run", sentences=500, epochs=2)
    assert printed(found).count("(is: ") == 7
    picture(drawn)


@pytest.mark.slow
def test_detection_errors(tmp_path):
    small = dict(image_size=32, epochs=1, train_images=16, val_images=8, batch_size=8)
    *_, report, confusion, f1, _, worst = execute(
        "detection_errors.ipynb", tmp_path / "run", **small
    )
    assert "suggested threshold" in printed(report)
    for cell in (confusion, f1, worst):
        picture(cell)


@pytest.mark.slow
def test_history(tmp_path):
    small = dict(images=200, machine_steps=50, widths=(20, 10), tune_steps=20)
    _, _, _, points, error, centers, filters, back, tuned = execute(
        "history.ipynb", tmp_path, **small
    )
    assert printed(points).split()[-1] == "0"
    assert "-1.0 1.0 1.0 -1.0" in printed(error)
    for cell in (points, error, centers, filters, back):
        picture(cell)
    assert printed(tuned).count("of 1,000 other digits") == 2


@pytest.mark.slow
def test_matting(tmp_path):
    small = dict(side=96, pictures=12, image_size=32, epochs=2)
    *_, screen, alpha, over, _, found = execute("matting.ipynb", tmp_path, **small)
    error = float(printed(alpha).rpartition(" ")[2])
    assert error < 0.02
    for cell in (screen, alpha, over, found):
        picture(cell)


@pytest.mark.slow
def test_generate(tmp_path):
    small = dict(side=8, train_images=96, epochs=1, upscaling_epochs=1, drawn_size=72)
    *_, samples, guidance, steps, _, compared = execute("generate.ipynb", tmp_path, **small)
    for cell in (samples, guidance, steps, compared):
        picture(cell)


def test_every_notebook_is_executed():
    source = pathlib.Path(__file__).read_text()
    assert all(f'"{path.name}"' in source for path in NOTEBOOKS)


def test_notebooks_install_alike():
    installs = {code_cells(nbformat.read(path, as_version=4))[0].source for path in NOTEBOOKS}
    assert len(installs) == 1


@pytest.mark.parametrize(
    ("driver", "clone", "package"),
    [
        ("CUDA Version: 13.1", True, ["-e", ".[notebook,text,cuda13]"]),
        ("CUDA Version: 12.4", True, ["-e", ".[notebook,text,cuda12]"]),
        ("CUDA Version: 11.8", True, ["-e", ".[notebook,text]"]),
        (None, True, ["-e", ".[notebook,text]"]),
        ("CUDA Version: 12.4", False, ["jaxvision[notebook,text,cuda12] @ git+https://"]),
    ],
)
def test_installation_takes_the_cuda_of_the_driver(driver, clone, package, tmp_path, monkeypatch):
    called = []

    def run(command, **options):
        called.append(command)
        return types.SimpleNamespace(stdout=f"| {driver} |")

    (tmp_path / "colabs").mkdir()
    if clone:
        (tmp_path / "train.py").touch()
    monkeypatch.chdir(tmp_path / "colabs")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: driver and f"/usr/bin/{name}")
    monkeypatch.setattr(subprocess, "run", run)
    exec(code_cells(nbformat.read(NOTEBOOKS[0], as_version=4))[0].source, {})
    *_, installation = called
    assert installation[:5] == [sys.executable, "-m", "pip", "install", "-q"]
    assert installation[5:-1] == package[:-1] and installation[-1].startswith(package[-1])


def test_installation_leaves_an_installed_package_alone(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", None)
    exec(code_cells(nbformat.read(NOTEBOOKS[0], as_version=4))[0].source, {})


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_outputs_are_stripped(path):
    for cell in code_cells(nbformat.read(path, as_version=4)):
        assert cell.outputs == []
        assert cell.execution_count is None
