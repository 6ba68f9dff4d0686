"""Reads PyTorch checkpoints without PyTorch and without running anything in them.

A `.pth` file is a zip archive of one pickle (`data.pkl`) and one raw file for each storage. A
pickle can call any function it names; here the names in the table of `_globals` stand for functions
of this file that only build plain values, and any other for a class of inert modules
(`pickled_module`); to call it is an error. Tensors stay references until the pickle is read, so an
optimizer's state beside them costs no memory.
"""

import io
import math
import os
import pickle
import pickletools
import re
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from jaxvision.pretrained.pickled_module import (
    PickledModule,
    UnreadableModule,
    not_read,
    placeholder,
    state_dict,
)

# Where a checkpoint keeps its state dict, in order of preference: averaged weights are those that
# its published numbers belong to.
CONTAINERS = ("state_dict_ema", "model_ema", "ema", "state_dict", "model", "module")

DTYPES = {
    "float64": np.dtype(np.float64),
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float8_e4m3fn": np.dtype(ml_dtypes.float8_e4m3fn),
    "float8_e5m2": np.dtype(ml_dtypes.float8_e5m2),
    "complex64": np.dtype(np.complex64),
    "complex128": np.dtype(np.complex128),
    "int64": np.dtype(np.int64),
    "int32": np.dtype(np.int32),
    "int16": np.dtype(np.int16),
    "int8": np.dtype(np.int8),
    "uint64": np.dtype(np.uint64),
    "uint32": np.dtype(np.uint32),
    "uint16": np.dtype(np.uint16),
    "uint8": np.dtype(np.uint8),
    "bool": np.dtype(np.bool_),
}

STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}

MAX_DIMENSIONS = 64
MAX_NUMBER = 2**48
NUMPY_SCALAR = re.compile(r"[<>|=]?([biufc][0-9]{1,2})")


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype | None
    size: int


class _Tensor(NamedTuple):
    storage: _Storage
    dtype: np.dtype
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Unreadable(ValueError):
    """An entry of a checkpoint that cannot be read; `read_torch_file` adds the path."""


class _Global:
    """A name in a pickle: what a pickle does with it can neither reach nor change real objects."""

    __slots__ = ("_build", "name", "value")

    def __init__(self, name: str, build: Callable[..., Any] | None = None, value: Any = None):
        self.name, self._build, self.value = name, build, value

    def __call__(self, *args: Any) -> Any:
        if self._build is None:
            raise _Unreadable(f"it calls {self.name}, which is not a function")
        return self._build(*args)

    def __setstate__(self, state: Any) -> None:
        raise _Unreadable(f"it changes {self.name}")


class _Mapping(dict):
    """An OrderedDict whose attributes, such as a state dict's `_metadata`, are dropped."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        pass


class _NumpyDtype:
    """The dtype of a pickled NumPy number, such as the best AP in a YOLOX checkpoint."""

    __slots__ = ("code", "order")

    def __init__(self, code: str, *_: Any):
        match = NUMPY_SCALAR.fullmatch(code)
        if match is None:
            raise _Unreadable(f"it holds a NumPy number of dtype {code!r}")
        self.code, self.order = match[1], "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = ">" if state[1] == ">" else "="


def _numpy_scalar(dtype: _NumpyDtype, data: bytes) -> Any:
    return np.frombuffer(data, np.dtype(dtype.order + dtype.code), count=1)[0].item()


def _tensor_v2(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> _Tensor:
    if storage.dtype is None:
        raise _Unreadable(f"storage {storage.key} has no dtype")
    return _Tensor(storage, storage.dtype, offset, tuple(shape), tuple(strides))


def _tensor_v3(
    storage: _Storage,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    requires_grad: bool,
    hooks: Any,
    dtype: _Global,
    *_: Any,
) -> _Tensor:
    return _Tensor(storage, DTYPES[dtype.value], offset, tuple(shape), tuple(strides))


def _globals() -> dict[tuple[str, str], _Global]:
    builders: dict[tuple[str, str], Callable[..., Any]] = {
        ("collections", "OrderedDict"): _Mapping,
        ("collections", "Counter"): _Mapping,
        ("torch", "Size"): tuple,
        ("torch", "device"): lambda *args: ":".join(map(str, args)),
        ("torch._utils", "_rebuild_tensor_v2"): _tensor_v2,
        ("torch._utils", "_rebuild_tensor_v3"): _tensor_v3,
        ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
        ("torch._utils", "_rebuild_parameter_with_state"): lambda tensor, *_: tensor,
        # What protocol 2 writes for a set, for bytes and for a NumPy number.
        ("__builtin__", "set"): set,
        ("builtins", "set"): set,
        ("_codecs", "encode"): lambda text, _: text.encode("latin1"),
        ("numpy", "dtype"): _NumpyDtype,
        ("numpy.core.multiarray", "scalar"): _numpy_scalar,
        ("numpy._core.multiarray", "scalar"): _numpy_scalar,
    }
    table = {key: _Global(".".join(key), build) for key, build in builders.items()}
    for name, dtype in STORAGES.items():
        table["torch", name] = _Global(f"torch.{name}", value=dtype)
    for name in DTYPES:
        table["torch", name] = _Global(f"torch.{name}", value=name)
    table["torch.storage", "UntypedStorage"] = _Global("torch.storage.UntypedStorage")
    return table


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes):
        super().__init__(io.BytesIO(data))
        self._globals = _globals()
        self._unknown: dict[tuple[str, str], type[PickledModule]] = {}

    def find_class(self, module: str, name: str) -> Any:
        key = module, name
        if key in self._globals:
            return self._globals[key]
        return self._unknown.setdefault(key, placeholder(module, name))

    def load(self) -> Any:
        content = super().load()
        for kind in self._unknown.values():
            if not kind.count:  # a function, or a class that is not a module's
                raise _Unreadable(not_read(kind.reference))
        return content

    def persistent_load(self, pid: Any) -> _Storage:
        _, kind, key, _, size = pid
        dtype = None if kind.value is None else DTYPES[kind.value]
        return _Storage(str(key), dtype, size)


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
            return _read_archive(archive)
    except _Unreadable as error:
        raise ValueError(f"{path} cannot be read as a PyTorch checkpoint: {error}") from None
    # Of a damaged archive the standard library raises more than BadZipFile.
    except (
        zipfile.BadZipFile,
        EOFError,
        NotImplementedError,
        OSError,
        RuntimeError,
        ValueError,
    ) as error:
        raise ValueError(f"{path} is truncated or damaged, copy it again: {error}") from error


def _not_a_zip(head: bytes) -> str:
    if head.startswith(b"\x80") or head[257:] == b"ustar":
        return (
            "it has the format of PyTorch before 1.6; load it with PyTorch and save it again: "
            "torch.save(torch.load(path, weights_only=True), new_path)"
        )
    return f"expected a zip archive, got a file that begins with {head[:16]!r}"


def _read_archive(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    entries = {entry.filename: entry for entry in archive.infolist()}
    roots = [name.removesuffix("data.pkl") for name in entries if name.endswith("/data.pkl")]
    if len(roots) != 1:
        raise _Unreadable(f"expected one data.pkl in the archive, got {len(roots)}")
    root = roots[0]
    if f"{root}constants.pkl" in entries:
        raise _Unreadable("it is a TorchScript program; save model.state_dict() instead")

    def read(name: str) -> bytes:
        entry = entries.get(root + name)
        if entry is None:
            raise _Unreadable(f"the archive has no {root + name}")
        # PyTorch stores without compression, so no record can be larger than the file.
        if entry.compress_type != zipfile.ZIP_STORED:
            raise _Unreadable(f"{root + name} is compressed, which torch.save does not do")
        return archive.read(entry)

    order = read("byteorder").strip() if f"{root}byteorder" in entries else b"little"
    if order not in (b"little", b"big"):
        raise _Unreadable(f"byteorder must be little or big, got {order[:16]!r}")
    tensors = _unpickle(read("data.pkl"))
    storages: dict[str, bytes] = {}
    state = {}
    for name, tensor in tensors.items():
        key = tensor.storage.key
        if key not in storages:
            storages[key] = read(f"data/{key}")
        try:
            state[name] = _array(tensor, storages[key], swap=order == b"big")
        except _Unreadable as error:
            raise _Unreadable(f"tensor {name}: {error}") from None
    return state


def _unpickle(data: bytes) -> dict[str, _Tensor]:
    try:
        for opcode, argument, _ in pickletools.genops(data):
            # The C unpickler allocates its memo up to the largest index.
            if opcode.name == "LONG_BINPUT" and (argument or 0) > len(data):
                raise _Unreadable(f"data.pkl asks for {argument} memo entries")
            if opcode.name.startswith("EXT"):
                raise _Unreadable("data.pkl uses the extension registry")
        content = _Unpickler(data).load()
        tensors = _state_dict(content)
    except _Unreadable:
        raise
    except UnreadableModule as error:
        raise _Unreadable(str(error)) from None
    # A damaged pickle raises whatever its misread operations happen to raise.
    except Exception as error:
        raise _Unreadable(f"data.pkl is damaged: {type(error).__name__}: {error}") from error
    if not tensors:
        kind = type(content).__name__.lstrip("_")
        got = f"the keys {list(content)[:10]}" if isinstance(content, Mapping) else f"a {kind}"
        raise _Unreadable(
            f"expected tensors, or a state dict under one of {', '.join(CONTAINERS)}; got {got}"
        )
    return tensors


def _state_dict(content: Any) -> dict[str, _Tensor]:
    """Finds the tensors by name as `read_torch_file` says; empty if there are none."""
    if isinstance(content, PickledModule):
        content = state_dict(content)
    if not isinstance(content, Mapping):
        return {}
    for key in CONTAINERS:
        if inner := _state_dict(content.get(key)):
            return inner
    return {str(key): value for key, value in content.items() if isinstance(value, _Tensor)}


def _array(tensor: _Tensor, data: bytes, *, swap: bool) -> np.ndarray:
    """Views a storage as the tensor, after checking that every element lies inside it."""
    storage, dtype, offset, shape, strides = tensor
    numbers = (storage.size, offset, *shape, *strides)
    # type() since True is an int.
    if any(type(n) is not int or not 0 <= n < MAX_NUMBER for n in numbers):
        raise _Unreadable(f"sizes, offset and strides must be whole numbers in [0, {MAX_NUMBER})")
    if len(shape) != len(strides) or len(shape) > MAX_DIMENSIONS:
        raise _Unreadable(f"{len(shape)} sizes do not go with {len(strides)} strides")
    expected = storage.size * (1 if storage.dtype is None else dtype.itemsize)
    if len(data) != expected:
        raise _Unreadable(f"storage {storage.key} must have {expected} bytes, got {len(data)}")
    if 0 in shape:
        if math.prod(n for n in shape if n) >= MAX_NUMBER:
            raise _Unreadable(f"shape {shape} is beyond any memory")
        return np.zeros(shape, dtype)
    available = expected // dtype.itemsize
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    # An expanded tensor repeats elements without storing them: 8 bytes could ask for any memory.
    if last >= available or math.prod(shape) > available:
        raise _Unreadable(
            f"shape {shape} with strides {strides} and offset {offset} does not fit into its "
            f"storage of {available} elements"
        )
    flat = np.frombuffer(data, dtype, count=available)
    if swap:
        flat = flat.byteswap()
    # The stride of a size of 1 is never taken and may be anything.
    steps = [step * dtype.itemsize if n > 1 else 0 for n, step in zip(shape, strides, strict=True)]
    return np.lib.stride_tricks.as_strided(flat[offset:], shape, steps, writeable=False)
