"""What the names in a PyTorch checkpoint stand for: functions that build plain values alone.

Nothing here imports or calls what a pickle names; each call is counted, since it may copy a list.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from jaxvision.data.errors import shown
from jaxvision.pretrained.pickle_check import MAX_WORK

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
# Names of classes and functions in a pickle.
MAX_NAMES = 1_000
# Tensors share storages, of tied weights for example, but not all of them all storages.
MAX_SHARING = 16
NUMPY_SCALAR = re.compile(r"[<>|=]?([biufc][0-9]{1,2})")


class Storage(NamedTuple):
    """A record of the archive, not read yet.

    Attributes:
        key: Its name.
        dtype: Of its numbers, None where the tensors say it.
        size: How many numbers, or bytes without dtype.
    """

    key: str
    dtype: np.dtype | None
    size: int


class Tensor(NamedTuple):
    """A view of a storage: offset and strides in numbers."""

    storage: Storage
    dtype: np.dtype
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Unreadable(ValueError):
    """An entry of a checkpoint that cannot be read; `read_torch_file` adds the path."""


class _Budget:
    """Counts the values that calls copy, since each may copy a long list again."""

    def __init__(self) -> None:
        self._left = MAX_WORK

    def spend(self, args: tuple[Any, ...]) -> None:
        """Counts the arguments of a call."""
        sized = (list, tuple, dict, set, str, bytes)
        self._left -= 1 + sum(len(value) for value in args if isinstance(value, sized))
        if self._left < 0:
            raise Unreadable(f"data.pkl copies more than {MAX_WORK:,} values")


class Global:
    """A name in a pickle: what a pickle does with it can neither reach nor change real objects."""

    __slots__ = ("_budget", "_build", "name", "value")

    def __init__(
        self,
        name: str,
        budget: _Budget,
        build: Callable[..., Any] | None = None,
        value: Any = None,
    ):
        self.name, self._build, self.value = name, build, value
        self._budget = budget

    def __call__(self, *args: Any) -> Any:
        """Builds a plain value; Unreadable if it stands for no function."""
        if self._build is None:
            raise Unreadable(f"it calls {self.name}, which is not a function")
        self._budget.spend(args)
        return self._build(*args)

    def __setstate__(self, state: Any) -> None:
        raise Unreadable(f"it changes {self.name}")


class _Mapping(dict):
    """An OrderedDict whose attributes, such as a state dict's `_metadata`, are dropped."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        pass


def _mapping(*args: Any) -> _Mapping:
    made = _Mapping()
    for values in args:
        for key, value in values.items() if isinstance(values, dict) else values:
            _check_plain([key])
            made[key] = value
    return made


def _set(values: Any = ()) -> set[Any]:
    _check_plain(values)
    return set(values)


def _check_plain(values: Any) -> None:
    """Checks that the hash of each value takes no time; before a set is made of a list of them."""
    for value in values:
        if not isinstance(value, str | bytes | int | float | None):
            raise Unreadable(f"expected names and numbers, got a {type(value).__name__}")


def _shape(values: Any = ()) -> tuple[int, ...]:
    """Returns the sizes or strides of a tensor, which the pickle may give as any iterable."""
    if not isinstance(values, list | tuple) or len(values) > MAX_NAMES:
        raise Unreadable(f"a shape must be at most {MAX_DIMENSIONS} numbers, got {kind_of(values)}")
    return tuple(values)


def _device(*args: Any) -> str:
    if not all(isinstance(value, str | int) and len(str(value)) < 100 for value in args[:2]):
        raise Unreadable(f"a device must be a name and a number, got {kind_of(args)}")
    return ":".join(map(str, args[:2]))


def _encoded(text: Any, _: Any) -> bytes:
    return text.encode("latin1")


def kind_of(value: Any) -> str:
    """Returns what came, for a message, without looking into it."""
    return f"a {type(value).__name__}"


class _NumpyDtype:
    """The dtype of a pickled NumPy number, such as the best AP in a YOLOX checkpoint."""

    __slots__ = ("code", "order")

    def __init__(self, code: str, *_: Any):
        match = NUMPY_SCALAR.fullmatch(code)
        if match is None:
            raise Unreadable(f"it holds a NumPy number of dtype {shown(code)}")
        self.code, self.order = match[1], "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = ">" if state[1] == ">" else "="


def _numpy_scalar(dtype: _NumpyDtype, data: bytes) -> Any:
    return np.frombuffer(data, np.dtype(dtype.order + dtype.code), count=1)[0].item()


def _tensor_v2(
    storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> Tensor:
    if storage.dtype is None:
        raise Unreadable(f"storage {storage.key} has no dtype")
    return Tensor(storage, storage.dtype, offset, _shape(shape), _shape(strides))


def _tensor_v3(
    storage: Storage,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    requires_grad: bool,
    hooks: Any,
    dtype: Global,
    *_: Any,
) -> Tensor:
    return Tensor(storage, DTYPES[dtype.value], offset, _shape(shape), _shape(strides))


def global_table() -> dict[tuple[str, str], Global]:
    """Returns what the names (module, name) stand for in one pickle."""
    builders: dict[tuple[str, str], Callable[..., Any]] = {
        ("collections", "OrderedDict"): _mapping,
        ("collections", "Counter"): _mapping,
        ("torch", "Size"): _shape,
        ("torch", "device"): _device,
        ("torch._utils", "_rebuild_tensor_v2"): _tensor_v2,
        ("torch._utils", "_rebuild_tensor_v3"): _tensor_v3,
        ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
        ("torch._utils", "_rebuild_parameter_with_state"): lambda tensor, *_: tensor,
        # What protocol 2 writes for a set, for bytes and for a NumPy number.
        ("__builtin__", "set"): _set,
        ("builtins", "set"): _set,
        ("_codecs", "encode"): _encoded,
        ("numpy", "dtype"): _NumpyDtype,
        ("numpy.core.multiarray", "scalar"): _numpy_scalar,
        ("numpy._core.multiarray", "scalar"): _numpy_scalar,
    }
    budget = _Budget()
    table = {key: Global(".".join(key), budget, build) for key, build in builders.items()}
    for name, dtype in STORAGES.items():
        table["torch", name] = Global(f"torch.{name}", budget, value=dtype)
    for name in DTYPES:
        table["torch", name] = Global(f"torch.{name}", budget, value=name)
    table["torch.storage", "UntypedStorage"] = Global("torch.storage.UntypedStorage", budget)
    return table
