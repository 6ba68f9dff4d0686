"""An ONNX graph that is being written, and the values in it.

Networks here have their channels last, ONNX's convolutions have them first. A value may be stored
with its axes in another order than the program's, so that a chain of convolutions and elementwise
operations is transposed at its ends alone; and with a length of 1 along axes that the program
broadcast it along, since ONNX's elementwise operations broadcast by themselves.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np

# Of the operators that are written: onnxruntime, OpenVINO and TensorRT read it since 2023.
OPSET = 18
# Constants up to this many bytes are stored once for all places that use them.
_SHARED = 4096


@dataclasses.dataclass(frozen=True)
class Batch:
    """A length that is a multiple of the batch's: `times` * B."""

    times: int = 1


Dim = int | Batch
Shape = tuple[Dim, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Value:
    """An array of the program.

    Attributes:
        name: In the graph; "" for a constant that no node uses yet.
        shape: In the program's order of axes; 1 where it is still to be broadcast.
        order: Axis i in the graph is axis order[i] of the program.
        constant: The array in the program's order, if it does not depend on the input.
        dtype: numpy's.
    """

    name: str
    shape: Shape
    order: tuple[int, ...]
    dtype: np.dtype
    constant: np.ndarray | None = None

    @property
    def ordered(self) -> bool:
        """Whether the graph has the axes in the program's order."""
        return self.order == tuple(range(len(self.order)))


def constant(array: Any) -> Value:
    """Returns a constant of the program; bfloat16 becomes float32."""
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        array = array.astype(np.float32)
    return Value("", array.shape, tuple(range(array.ndim)), array.dtype, array)


def inverse(order: Sequence[int]) -> tuple[int, ...]:
    """Returns the order that undoes one."""
    return tuple(int(axis) for axis in np.argsort(order))


class Graph:
    """Nodes and constants, to which the converters of operations add.

    Attributes:
        nodes: In the order in which they run.
        initializers: Constants by name; those of a subgraph are its parent's.
        means: By name of a sum: its source, its axes in the graph's order, and how many terms.
    """

    def __init__(self, batch: str = "", parent: "Graph | None" = None) -> None:
        """Starts empty.

        Args:
            batch: Name of an input whose first axis has the length B; that of the parent.
            parent: The graph of a loop whose body this is.
        """
        import onnx

        self._onnx = onnx
        self.nodes: list[Any] = []
        self.means: dict[str, tuple[str, tuple[int, ...], int]] = {}
        self._batch: str = parent._batch if parent else batch
        self._parent = parent
        self._done: dict[Any, str] = {}
        self._root: Graph = parent._root if parent else self
        if parent is None:
            self.initializers: dict[str, np.ndarray] = {}
            self._numbers = itertools.count()
            self._small: dict[Any, str] = {}
        else:
            self.initializers = parent.initializers

    def fresh(self, stem: str) -> str:
        """Returns a name that nothing has."""
        return f"{stem}_{next(self._root._numbers)}"

    def add(self, kind: str, inputs: Iterable[str], outputs: int = 1, **attributes: Any) -> Any:
        """Adds a node; returns the name of its output, or a list of them for several."""
        names = [self.fresh(kind) for _ in range(outputs)]
        node = self._onnx.helper.make_node(kind, list(inputs), names, name=names[0], **attributes)
        self.nodes.append(node)
        return names[0] if outputs == 1 else names

    def initializer(self, array: np.ndarray) -> str:
        """Returns the name of a constant."""
        array = np.asarray(array, order="C")
        key = (array.dtype.str, array.shape, array.tobytes()) if array.nbytes <= _SHARED else None
        if key in self._root._small:
            return self._root._small[key]
        name = self.fresh("constant")
        self.initializers[name] = array
        if key is not None:
            self._root._small[key] = name
        return name

    def integers(self, numbers: Sequence[int]) -> str:
        """Returns the name of a vector of integers, as axes and shapes are given."""
        return self.initializer(np.asarray(numbers, np.int64).reshape(-1))

    def in_order(self, value: Value, order: Sequence[int]) -> str:
        """Returns the name of a value, or of its copy, whose axes are in this order."""
        order = tuple(order)
        if value.constant is not None:
            return self.initializer(value.constant.transpose(order))
        if value.order == order:
            return value.name
        places = [value.order.index(axis) for axis in order]
        return self._once(("Transpose", value.name, order), "Transpose", [value.name], perm=places)

    def full(self, value: Value, shape: Shape) -> Value:
        """Returns a value after broadcasting it along all axes of its shape in the program."""
        if value.shape == shape:
            return value
        if value.constant is not None and all(isinstance(x, int) for x in shape):
            return constant(np.broadcast_to(value.constant, cast(Any, shape)))
        name = self.in_order(value, value.order)
        target = self.lengths([shape[axis] for axis in value.order])
        expanded = self._once(("Expand", name, shape), "Expand", [name, target])
        return Value(expanded, shape, value.order, value.dtype)

    def plain(self, value: Value, shape: Shape) -> str:
        """Returns the name of a value with this shape, its axes in the program's order."""
        full = self.full(value, shape)
        return self.in_order(full, range(len(shape)))

    def lengths(self, shape: Sequence[Dim]) -> str:
        """Returns the name of a vector of integers that holds a shape."""
        if all(isinstance(x, int) for x in shape):
            return self.integers([x for x in shape if isinstance(x, int)])
        parts = [self.batch(x) if isinstance(x, Batch) else self.integers([x]) for x in shape]
        if len(parts) == 1:
            return parts[0]
        return self._once(("Concat", *parts), "Concat", parts, axis=0)

    def batch(self, length: Batch) -> str:
        """Returns the name of a multiple of the batch's length, a vector of one integer."""
        one = self._once(("Shape",), "Shape", [self._batch], start=0, end=1)
        if length.times == 1:
            return one
        factor = self.integers([length.times])
        return self._once(("Mul", length.times), "Mul", [one, factor])

    def target(self, shape: Sequence[Dim]) -> str:
        """Returns the name of the shape that a Reshape takes."""
        if sum(isinstance(x, Batch) for x in shape) <= 1 and 0 not in shape:
            return self.integers([-1 if isinstance(x, Batch) else x for x in shape])
        return self.lengths(shape)

    def _once(self, key: Any, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Adds a node unless this graph or one around it has it."""
        graph: Graph | None = self
        while graph is not None:
            if key in graph._done:
                return graph._done[key]
            graph = graph._parent
        self._done[key] = self.add(kind, inputs, **attributes)
        return self._done[key]

    def pruned(self, outputs: Iterable[str]) -> list[Any]:
        """Returns the nodes that outputs depend on."""
        wanted = set(outputs)
        kept = []
        for node in reversed(self.nodes):
            if not wanted.isdisjoint(node.output):
                kept.append(node)
                wanted |= _read(node)
        return kept[::-1]


def _read(node: Any) -> set[str]:
    """Returns the names that a node reads, those in its subgraphs included."""
    names = set(node.input)
    for attribute in node.attribute:
        for inner in attribute.g.node:
            names |= _read(inner)
        names |= {output.name for output in attribute.g.output}
    return names


def used(nodes: Iterable[Any], initializers: Mapping[str, np.ndarray]) -> list[str]:
    """Returns the names of constants that nodes read."""
    names: set[str] = set().union(*(_read(node) for node in nodes))
    return [name for name in initializers if name in names]
