import base64
import pathlib
import sys

import cv2
import nbclient
import nbformat
import numpy as np
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

NOTEBOOK = pathlib.Path(__file__).parents[2] / "colabs" / "quickstart.ipynb"


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


def test_quickstart_runs_from_top_to_bottom(tmp_path):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (parameters,) = (c for c in code_cells(notebook) if "parameters" in c.metadata.get("tags", ()))
    before = settings(parameters.source)
    small = dict(
        variant="nano", image_size=32, batch_size=8, epochs=1, train_images=16, val_images=8
    )
    assert set(small) < set(before)
    small |= {"workdir": str(tmp_path / "run"), "log_every": 1}
    parameters.source += "".join(f"\n{name} = {value!r}" for name, value in small.items())

    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    )
    client.km = client.create_kernel_manager()
    client.km.kernel_spec_manager = ThisInterpreter()
    client.execute()  # Raises where a cell does.

    for cell in code_cells(notebook):
        assert cell.execution_count
        assert not [o for o in cell.outputs if o.output_type == "error"]
    training, curve, detections = code_cells(notebook)[-3:]
    assert [o.data["text/plain"] for o in training.outputs if "data" in o] == ["0"]
    assert (tmp_path / "run" / "checkpoints" / "2").is_dir()
    for cell in (curve, detections):
        (figure,) = (o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {}))
        image = cv2.imdecode(np.frombuffer(base64.b64decode(figure), np.uint8), cv2.IMREAD_COLOR)
        assert min(image.shape[:2]) > 200
        assert image.std() > 10


def settings(source):
    values = {}
    exec(source, values)
    return values


def test_outputs_are_stripped():
    for cell in code_cells(nbformat.read(NOTEBOOK, as_version=4)):
        assert cell.outputs == []
        assert cell.execution_count is None
