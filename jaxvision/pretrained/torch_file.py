"""Reads PyTorch checkpoints without PyTorch and without running anything in them.

A `.pth` file is a zip archive of one pickle (`data.pkl`) and one raw file for each storage. A
pickle can call any function it names; here the names of `torch_names` stand for functions that only
build plain values, and any other for a class of inert modules (`pickled_module`); to call it is an
error. What reading would take is counted before (`pickle_check`). Tensors stay references until the
pickle is read, so an optimizer's state beside them costs no memory.
"""

import io
import math
import os
import pickle
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxvision.pretrained.pickle_check import Refused, check_pickle
from jaxvision.pretrained.pickled_module import (
    PickledModule,
    UnreadableModule,
    not_read,
    placeholder,
    state_dict,
)
from jaxvision.pretrained.torch_names import (
    DTYPES,
    MAX_DIMENSIONS,
    MAX_NAMES,
    MAX_NUMBER,
    MAX_SHARING,
    Global,
    Storage,
    Tensor,
    Unreadable,
    global_table,
    kind_of,
)

# Where a checkpoint keeps its state dict, in order of preference: averaged weights are those that
# its published numbers belong to.
CONTAINERS = ("state_dict_ema", "model_ema", "ema", "state_dict", "model", "module")


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes):
        super().__init__(io.BytesIO(data))
        self._globals = global_table()
        self._unknown: dict[tuple[str, str], type[PickledModule]] = {}

    def find_class(self, module: str, name: str) -> Any:
        key = module, name
        if key in self._globals:
            return self._globals[key]
        if key not in self._unknown:
            if len(self._unknown) >= MAX_NAMES:
                raise Unreadable(f"it refers to more than {MAX_NAMES:,} classes and functions")
            self._unknown[key] = placeholder(module, name)
        return self._unknown[key]

    def load(self) -> Any:
        content = super().load()
        for kind in self._unknown.values():
            if not kind.count:  # a function, or a class that is not a module's
                raise Unreadable(not_read(kind.reference))
        return content

    def persistent_load(self, pid: Any) -> Storage:
        _, kind, key, _, size = pid
        if not isinstance(key, str | int) or not isinstance(kind, Global):
            raise Unreadable(f"the name of a storage must be text, got {kind_of(key)}")
        dtype = None if kind.value is None else DTYPES[kind.value]
        return Storage(str(key), dtype, size)


def read_torch_file(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads the state dict of a `.pth` or `.pt` file written by `torch.save` (PyTorch >= 1.6).

    The state dict is the file's mapping itself or, where that has one of `CONTAINERS` as a key with
    a mapping of tensors below it, the first of those, and so on inwards: YOLOX's {"start_epoch",
    "model", "optimizer", "best_ap"} gives "model". A pickled module stands for its state dict.
    Entries that are not tensors are dropped.

    Args:
        path: The file.

    Returns:
        {name: array} in the file's order; read-only, and views where tensors share a storage.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, of the format before PyTorch 1.6, holds no state dict,
            or refers to anything but tensors and plain values; nothing in it has been run.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"no such file: {path}")
    with open(path, "rb") as file:
        head = file.read(262)
    if not head.startswith(b"PK"):
        raise ValueError(f"{path} cannot be read as a PyTorch checkpoint: {_not_a_zip(head)}")
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_archive(archive, os.path.getsize(path))
    except Unreadable as error:
        raise ValueError(f"{path} cannot be read as a PyTorch checkpoint: {error}") from None
    # Of a damaged archive the standard library raises more than BadZipFile.
    except (
        zipfile.BadZipFile,
        EOFError,
        NotImplementedError,
        OSError,
        RuntimeError,
        MemoryError,
        ValueError,
        struct.error,
    ) as error:
        raise ValueError(f"{path} is truncated or damaged, copy it again: {error}") from error


def _not_a_zip(head: bytes) -> str:
    if head.startswith(b"\x80") or head[257:] == b"ustar":
        return (
            "it has the format of PyTorch before 1.6; load it with PyTorch and save it again: "
            "torch.save(torch.load(path, weights_only=True), new_path)"
        )
    return f"expected a zip archive, got a file that begins with {head[:16]!r}"


def _read_archive(archive: zipfile.ZipFile, size: int) -> dict[str, np.ndarray]:
    """Reads an archive of `size` bytes, out of which no more can be taken than is in it."""
    entries = {entry.filename: entry for entry in archive.infolist()}
    roots = [name.removesuffix("data.pkl") for name in entries if name.endswith("/data.pkl")]
    if len(roots) != 1:
        raise Unreadable(f"expected one data.pkl in the archive, got {len(roots)}")
    root = roots[0]
    if f"{root}constants.pkl" in entries:
        raise Unreadable("it is a TorchScript program; save model.state_dict() instead")

    def read(name: str) -> bytes:
        entry = entries.get(root + name)
        if entry is None:
            raise Unreadable(f"the archive has no {root + name}")
        # PyTorch stores without compression, so no record can be larger than the file.
        if entry.compress_type != zipfile.ZIP_STORED:
            raise Unreadable(f"{root + name} is compressed, which torch.save does not do")
        return archive.read(entry)

    order = read("byteorder").strip() if f"{root}byteorder" in entries else b"little"
    if order not in (b"little", b"big"):
        raise Unreadable(f"byteorder must be little or big, got {order[:16]!r}")
    tensors = _unpickle(read("data.pkl"))
    storages: dict[str, bytes] = {}
    state: dict[str, np.ndarray] = {}
    read_bytes = used_bytes = 0
    for name, tensor in tensors.items():
        key = tensor.storage.key
        if key not in storages:
            storages[key] = read(f"data/{key}")
            read_bytes += len(storages[key])
        # Records of a made archive may lie over each other.
        if read_bytes > size:
            raise Unreadable(f"its tensors have more than the {size:,} bytes of the file")
        try:
            state[name] = _array(tensor, storages[key], swap=order == b"big")
        except Unreadable as error:
            raise Unreadable(f"tensor {name}: {error}") from None
        used_bytes += state[name].nbytes
        if used_bytes > MAX_SHARING * size:
            raise Unreadable(f"its tensors share their numbers more than {MAX_SHARING} times")
    return state


def _unpickle(data: bytes) -> dict[str, Tensor]:
    try:
        check_pickle(data)
        content = _Unpickler(data).load()
        tensors = _state_dict(content, set())
    except Unreadable:
        raise
    except (UnreadableModule, Refused) as error:
        raise Unreadable(str(error)) from None
    # A damaged pickle raises whatever its misread operations happen to raise.
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error)[:200]}"
        raise Unreadable(f"data.pkl is damaged: {reason}") from error
    if not tensors:
        kind = type(content).__name__.lstrip("_")
        got = f"the keys {_keys(content)}" if isinstance(content, Mapping) else f"a {kind}"
        raise Unreadable(
            f"expected tensors, or a state dict under one of {', '.join(CONTAINERS)}; got {got}"
        )
    return tensors


def _keys(content: Mapping[Any, Any]) -> list[str]:
    return [str(key)[:40] for key in list(content)[:10] if isinstance(key, str | int)]


def _state_dict(content: Any, seen: set[int]) -> dict[str, Tensor]:
    """Finds the tensors by name as `read_torch_file` says; empty if there are none, or seen."""
    if id(content) in seen:
        return {}
    seen.add(id(content))
    if isinstance(content, PickledModule):
        content = state_dict(content)
    if not isinstance(content, Mapping):
        return {}
    for key in CONTAINERS:
        if inner := _state_dict(content.get(key), seen):
            return inner
    return {
        str(key): value
        for key, value in content.items()
        if isinstance(value, Tensor) and isinstance(key, str | int)
    }


def _array(tensor: Tensor, data: bytes, *, swap: bool) -> np.ndarray:
    """Views a storage as the tensor, after checking that every element lies inside it."""
    storage, dtype, offset, shape, strides = tensor
    numbers = (storage.size, offset, *shape, *strides)
    # type() since True is an int.
    if any(type(n) is not int or not 0 <= n < MAX_NUMBER for n in numbers):
        raise Unreadable(f"sizes, offset and strides must be whole numbers in [0, {MAX_NUMBER})")
    if len(shape) != len(strides) or len(shape) > MAX_DIMENSIONS:
        raise Unreadable(f"{len(shape)} sizes do not go with {len(strides)} strides")
    expected = storage.size * (1 if storage.dtype is None else dtype.itemsize)
    if len(data) != expected:
        raise Unreadable(f"storage {storage.key} must have {expected} bytes, got {len(data)}")
    if 0 in shape:
        if math.prod(n for n in shape if n) >= MAX_NUMBER:
            raise Unreadable(f"shape {shape} is beyond any memory")
        return np.zeros(shape, dtype)
    available = expected // dtype.itemsize
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    # An expanded tensor repeats elements without storing them: 8 bytes could ask for any memory.
    if last >= available or math.prod(shape) > available:
        raise Unreadable(
            f"shape {shape} with strides {strides} and offset {offset} does not fit into its "
            f"storage of {available} elements"
        )
    flat = np.frombuffer(data, dtype, count=available)
    if swap:
        flat = flat.byteswap()
    # The stride of a size of 1 is never taken and may be anything.
    steps = [step * dtype.itemsize if n > 1 else 0 for n, step in zip(shape, strides, strict=True)]
    return np.lib.stride_tricks.as_strided(flat[offset:], shape, steps, writeable=False)
