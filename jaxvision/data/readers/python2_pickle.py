"""Arrays, sparse matrices and lists that Python 2 pickled, read without unpickling.

A pickle is a program, whose operations may call any function that they name. Here `pickletools`
cuts it into its operations, and the few by which Python 2 (protocol 2) writes NumPy's arrays,
SciPy's `csr_matrix`, dictionaries and lists build plain values; any other operation or name is
refused. Nothing that a pickle names is imported or called.

What is read grows with the file: only names, dtypes and short texts can be referred to again, and
each operation takes from the stack what it builds.
"""

import dataclasses
import math
import pickletools
import re
from typing import Any

import numpy as np

from jaxvision.data.errors import shown

# PubMed's graph, the largest of the published ones, has 180,000 operations; a million take a second
# or two.
MAX_OPERATIONS = 1_000_000
# Sides of arrays.
MAX_SIDE = 10_000_000
_MAX_INTEGER = 1 << 31
_NUMBERS = re.compile("[iuf][1248]|b1")

_RECONSTRUCT = "numpy.core.multiarray _reconstruct"
_DTYPE = "numpy dtype"
_DICT = "collections defaultdict"
_CSR = "scipy.sparse.csr csr_matrix"
_NAMES = (_RECONSTRUCT, _DTYPE, _DICT, _CSR, "numpy ndarray", "__builtin__ list")

_PUSHED = ("BININT", "BININT1", "BININT2", "LONG1", "BINSTRING", "SHORT_BINSTRING")
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MARK = object()


class Unreadable(ValueError):
    """What a pickle holds or does that is not read; who reads the file adds its name."""


@dataclasses.dataclass(frozen=True)
class _Name:
    """A class or function that a pickle names."""

    name: str


@dataclasses.dataclass
class _Dtype:
    code: str
    order: str = "="


@dataclasses.dataclass
class Array:
    """An array as it was pickled, whose fields may be anything."""

    shape: Any = None
    dtype: Any = None
    columns_first: Any = None
    data: Any = None

    def numbers(self) -> np.ndarray:
        """Returns the array.

        Raises:
            Unreadable: If it is no array of numbers, or its shape and its data disagree.
        """
        shape, dtype, data = self.shape, self.dtype, self.data
        if not isinstance(dtype, _Dtype) or not _NUMBERS.fullmatch(dtype.code):
            code = dtype.code if isinstance(dtype, _Dtype) else type(dtype).__name__
            raise Unreadable(f"holds an array whose dtype is {shown(code)}, not one of numbers")
        if not isinstance(shape, tuple) or not 1 <= len(shape) <= 2:
            raise Unreadable("holds an array without one or two axes")
        if not all(type(side) is int and 0 <= side <= MAX_SIDE for side in shape):
            raise Unreadable(f"holds an array with a side that is not from 0 to {MAX_SIDE:,}")
        kind = np.dtype(f"{dtype.order}{dtype.code}")
        expected = math.prod(shape) * kind.itemsize
        if not isinstance(data, str) or len(data) != expected:
            got = f"{len(data):,}" if isinstance(data, str) else "none"
            raise Unreadable(
                f"holds an array {list(shape)} of {expected:,} bytes, of which {got} are there"
            )
        order = "F" if self.columns_first is True else "C"
        array = np.ndarray(shape, kind, data.encode("latin1"), order=order)
        return array.astype(dtype.code)


@dataclasses.dataclass
class Matrix:
    """A `csr_matrix` as it was pickled: its attributes by name, which may be anything."""

    fields: dict[Any, Any] = dataclasses.field(default_factory=dict)


def read_pickle(data: bytes) -> Any:
    """Reads a pickle of protocol 2.

    Args:
        data: The file.

    Returns:
        A number, a text (bytes, as latin-1), None, or a tuple, list or dictionary of them; an
        `Array` or a `Matrix`. The keys of dictionaries are integers or texts.

    Raises:
        Unreadable: If it is cut off, takes too much, or does anything but to build such values.
    """
    stack = _Stack()
    try:
        for count, (operation, argument, _) in enumerate(pickletools.genops(data)):
            if count >= MAX_OPERATIONS:
                raise Unreadable(f"has more than {MAX_OPERATIONS:,} operations")
            stack.make(operation.name, argument)
    except Unreadable:
        raise
    except ValueError as error:
        raise Unreadable(f"is cut off or damaged: {shown(str(error))}") from error
    return stack.only()


class _Stack:
    """The stack of the values made, and those that are referred to again, by their numbers."""

    def __init__(self) -> None:
        self._values: list[Any] = []
        self._memo: dict[int, Any] = {}

    def make(self, name: str, argument: Any) -> None:
        """Makes an operation; Unreadable if it is none of those that are read."""
        values = self._values
        if name in _PUSHED:
            if isinstance(argument, int) and not -_MAX_INTEGER <= argument < _MAX_INTEGER:
                raise Unreadable("holds an integer of more than 32 bits")
            values.append(argument)
        elif name in _CONSTANTS:
            values.append(_CONSTANTS[name])
        elif name == "GLOBAL":
            if argument not in _NAMES:
                raise Unreadable(f"refers to {shown(argument.replace(' ', '.'))}")
            values.append(_Name(argument))
        elif name in _TUPLES:
            values.append(tuple(self._taken(_TUPLES[name])))
        elif name == "TUPLE":
            values.append(tuple(self._marked()))
        elif name in ("EMPTY_LIST", "EMPTY_DICT"):
            values.append([] if name == "EMPTY_LIST" else {})
        elif name in ("APPEND", "APPENDS"):
            added = self._taken(1) if name == "APPEND" else self._marked()
            self._top(list).extend(added)
        elif name in ("SETITEM", "SETITEMS"):
            self._set(self._taken(2) if name == "SETITEM" else self._marked())
        elif name in ("REDUCE", "NEWOBJ"):
            function, arguments = self._taken(2)
            values.append(_made(function, arguments))
        elif name == "BUILD":
            (state,) = self._taken(1)
            _fill(self._top(Array, Matrix, _Dtype), state)
        else:
            self._refer(name, argument)

    def only(self) -> Any:
        """Returns the one value at the end."""
        (value,) = self._taken(1)
        if self._values:
            raise Unreadable("leaves more than one value")
        return value

    def _refer(self, name: str, argument: Any) -> None:
        """Makes an operation that builds nothing."""
        if name == "MARK":
            self._values.append(_MARK)
        elif name in ("BINPUT", "LONG_BINPUT"):
            top = self._top(object)
            if isinstance(top, _Name | _Dtype) or (isinstance(top, str) and len(top) < 256):
                self._memo[argument] = top
            else:
                self._memo.pop(argument, None)
        elif name in ("BINGET", "LONG_BINGET"):
            if argument not in self._memo:
                raise Unreadable("refers to a value again that is no name, dtype or short text")
            self._values.append(self._memo[argument])
        elif name == "PROTO":
            if argument != 2:
                raise Unreadable(f"is of protocol {argument}, not of 2")
        elif name != "STOP":
            raise Unreadable(f"has the operation {name}, which is not read")

    def _top(self, *kinds: type) -> Any:
        if not self._values or not isinstance(self._values[-1], kinds):
            raise Unreadable("fills a value that is not there, or of another kind")
        return self._values[-1]

    def _taken(self, number: int) -> list[Any]:
        start = len(self._values) - number
        taken = self._values[max(start, 0) :]
        if start < 0 or any(value is _MARK for value in taken):
            raise Unreadable("takes more from its stack than there is")
        del self._values[start:]
        return taken

    def _marked(self) -> list[Any]:
        """Takes what is above the last mark, and the mark."""
        taken = []
        while self._values:
            value = self._values.pop()
            if value is _MARK:
                return taken[::-1]
            taken.append(value)
        raise Unreadable("takes more from its stack than there is")

    def _set(self, taken: list[Any]) -> None:
        keys, values = taken[::2], taken[1::2]
        if len(keys) != len(values) or not all(type(key) in (int, str) for key in keys):
            raise Unreadable("has a dictionary whose keys are not integers or texts")
        self._top(dict).update(zip(keys, values, strict=True))


def _made(function: Any, arguments: Any) -> Any:
    """Makes what one of the names stands for; its content comes later, but for a dtype's."""
    name = function.name if isinstance(function, _Name) else None
    if name == _RECONSTRUCT:
        return Array()
    if name == _CSR:
        return Matrix()
    if name == _DICT:
        return {}
    if name == _DTYPE and isinstance(arguments, tuple) and arguments[:1]:
        code = arguments[0]
        return _Dtype(code if isinstance(code, str) else type(code).__name__)
    raise Unreadable(f"calls what is not a function: {shown(name)}")


def _fill(made: Array | Matrix | _Dtype, state: Any) -> None:
    if isinstance(made, Matrix) and isinstance(state, dict):
        made.fields = state
    elif isinstance(made, Array) and isinstance(state, tuple) and len(state) == 5:
        _, made.shape, made.dtype, made.columns_first, made.data = state
    elif isinstance(made, _Dtype) and isinstance(state, tuple) and state[1:2] in _ORDERS:
        made.order = state[1]
    else:
        raise Unreadable("fills an array, a matrix or a dtype with what is none of theirs")


_ORDERS = [("<",), (">",), ("|",), ("=",)]
