"""Running an ONNX file by onnxruntime."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jaxvision.data.extras import library

# Name of the graph's input.
INPUT = "image"
# Of onnxruntime: the first of these that is there computes what it can.
_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
# Of what onnxruntime logs.
ERRORS_ALONE = 3

Run = Callable[[np.ndarray], dict[str, np.ndarray]]


def session(file: Path) -> Run:
    """Opens a file; returns a function from a batch to the outputs by name.

    Raises:
        ValueError: If onnxruntime cannot run it.
        ImportError: If onnxruntime is not installed.
    """
    opened = open_session(file)
    names = [output.name for output in opened.get_outputs()]
    (given,) = opened.get_inputs()

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(names, opened.run(names, {given.name: images}), strict=True))

    return run


def open_session(file: Path) -> Any:
    """Opens a file as onnxruntime's session; see `session`."""
    ort = library("onnxruntime", "export")
    options = ort.SessionOptions()
    options.log_severity_level = ERRORS_ALONE
    available = ort.get_available_providers()
    providers = [name for name in _PROVIDERS if name in available]
    try:
        return ort.InferenceSession(str(file), options, providers=providers)
    except Exception as error:  # onnxruntime has classes of its own for each kind of fault
        reason = str(error).splitlines()[0][:200]
        raise ValueError(f"{file} cannot be run by onnxruntime: {reason}") from error
