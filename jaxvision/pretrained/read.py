"""Reads a state dict, {name: array}, from the file formats that weights come in."""

import os
import zipfile
from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy

from jaxvision.data.npz import read_npz
from jaxvision.pretrained.torch_file import read_torch_file

ACCEPTED = "a .safetensors, .pth, .pt or .npz file, or a mapping {name: array}"

# `torch.nn.DataParallel` and `DistributedDataParallel` put it before every name.
PARALLEL_PREFIX = "module."

SAFETENSORS_DTYPES = ("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8")
SAFETENSORS_DTYPES += ("U64", "U32", "U16", "U8", "BOOL", "C64")

HALF = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))


def read_state(
    path_or_state: str | os.PathLike[str] | Mapping[str, Any],
) -> dict[str, np.ndarray]:
    """Reads weights under the names that their file gives them.

    float16 and bfloat16 become float32; other dtypes stay. A prefix "module." that all names share
    is removed.

    Args:
        path_or_state: A `.safetensors` file, a PyTorch `.pth` or `.pt` file, an `.npz` file, or
            {name: array}.

    Returns:
        {name: array}; arrays may be read-only.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or of another format.
    """
    if isinstance(path_or_state, Mapping):
        state = {str(name): np.asarray(value) for name, value in path_or_state.items()}
        for name, value in state.items():
            if value.dtype == object:
                kind = type(path_or_state[name]).__name__
                raise ValueError(f"{name} must be an array, got a {kind}")
    elif isinstance(path_or_state, (str, os.PathLike)):
        state = _read_file(os.fspath(path_or_state))
    else:
        raise ValueError(f"expected {ACCEPTED}, got a {type(path_or_state).__name__}")
    if state and all(name.startswith(PARALLEL_PREFIX) for name in state):
        state = {name.removeprefix(PARALLEL_PREFIX): value for name, value in state.items()}
    return {n: v.astype(np.float32) if v.dtype in HALF else v for n, v in state.items()}


def _read_file(path: str) -> dict[str, np.ndarray]:
    extension = os.path.splitext(path)[1].lower()
    if extension not in (".safetensors", ".pth", ".pt", ".npz"):
        raise ValueError(f"expected {ACCEPTED}, got {path}")
    if not os.path.isfile(path):
        raise FileNotFoundError(f"no such file: {path}")
    if extension in (".pth", ".pt"):
        return read_torch_file(path)
    if extension == ".npz":
        return _read_npz(path)
    return read_safetensors(path)


def read_safetensors(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads a `.safetensors` file.

    Raises:
        ValueError: If it is damaged, or holds numbers of a type that NumPy has not.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            for name in file.keys():  # noqa: SIM118, it is no mapping
                dtype = file.get_slice(name).get_dtype()
                if dtype not in SAFETENSORS_DTYPES:
                    raise ValueError(
                        f"{path}: {name} has numbers of the type {dtype}; expected one of "
                        f"{', '.join(SAFETENSORS_DTYPES)}: save the weights as one of these"
                    )
        return safetensors.numpy.load_file(path)
    except (safetensors.SafetensorError, MemoryError) as error:
        raise ValueError(f"{path} is not a complete safetensors file: {error}") from error


def _read_npz(path: str) -> dict[str, np.ndarray]:
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not a complete .npz file")
    try:
        arrays = read_npz(path)
    except ValueError as error:
        raise ValueError(f"{path} is not a readable .npz file: {error}") from error
    # NumPy writes bfloat16, which is not its own, as two bytes without a type.
    return {n: v.view(ml_dtypes.bfloat16) if v.dtype == "V2" else v for n, v in arrays.items()}
