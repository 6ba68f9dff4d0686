import base64
import pathlib
import sys

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
    small |= {"workdir": str(workdir)}
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
    (training,) = (c for c in cells if "train.main(" in c.source)
    assert [o.data["text/plain"] for o in training.outputs if "data" in o] == ["0"]
    return cells


def settings(source):
    values = {}
    exec(source, values)
    return values


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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_outputs_are_stripped(path):
    for cell in code_cells(nbformat.read(path, as_version=4)):
        assert cell.outputs == []
        assert cell.execution_count is None
