"""Darknet's `.weights` files: a header, then the numbers of all layers, without names or shapes.

Of each layer come its bias, then scale, mean and variance if it is normalised, then its kernel, all
float32 (https://github.com/pjreddie/darknet, load_weights_upto).
"""

import os
import re
import struct
from collections.abc import Callable, Mapping

import numpy as np

Shapes = Mapping[str, tuple[int, ...]]

_PARTS = ("bias", "bn.bias", "bn.weight", "bn.running_mean", "bn.running_var", "weight")
# Major and minor version and revision, then the number of images seen: 4 bytes before version 0.2.
_HEADER = struct.pack("<iiiq", 0, 2, 0, 0)


def read_darknet(
    path: str | os.PathLike[str], shapes_of: Callable[[int], Shapes]
) -> dict[str, np.ndarray]:
    """Reads a file of a network whose number of classes follows from the file's length.

    Args:
        path: The file.
        shapes_of: Maps a number of classes to the shapes of the network's tensors by name, as
            `layer0.bn.bias`.

    Returns:
        {name: float32 array}; views of the file's numbers.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file has no header or is not as long as the network has numbers.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"no such file: {path}")
    with open(path, "rb") as file:
        data = file.read()
    start = _header_size(path, data)
    if (len(data) - start) % 4:
        raise ValueError(f"{path} does not end with a whole float32 number, copy it again")
    values = np.frombuffer(data, "<f4", offset=start)
    one, two = (_count(shapes_of(classes)) for classes in (1, 2))
    classes, rest = divmod(len(values) - one, two - one)
    if classes < 0 or rest:
        raise ValueError(
            f"{path} holds {len(values):,} numbers, the network has {one:,} with one class and "
            f"{two - one:,} more for each further one: they are of another variant"
        )
    shapes = shapes_of(classes + 1)
    state, first = {}, 0
    for name in sorted(shapes, key=_place):
        size = int(np.prod(shapes[name]))
        state[name] = values[first : first + size].reshape(shapes[name])
        first += size
    return state


def to_darknet(state: Mapping[str, np.ndarray]) -> bytes:
    """Writes tensors by name, as `pretrained.export` gives them, as a `.weights` file's content."""
    names = sorted((name for name in state if not name.endswith("num_batches_tracked")), key=_place)
    return _HEADER + b"".join(np.ascontiguousarray(state[name], "<f4").tobytes() for name in names)


def _header_size(path: str, data: bytes) -> int:
    if len(data) < 20:
        raise ValueError(f"{path} is no Darknet file: it has {len(data)} bytes")
    major, minor = struct.unpack_from("<ii", data)
    if not (0 <= major < 1000 and 0 <= minor < 1000):
        raise ValueError(f"{path} is no Darknet file: its version would be {major}.{minor}")
    return 20 if major * 10 + minor >= 2 else 16


def _count(shapes: Shapes) -> int:
    return sum(int(np.prod(shape)) for shape in shapes.values())


def _place(name: str) -> tuple[int, int]:
    """The place of a tensor in a file: its layer, then its part."""
    match = re.fullmatch(r"layer(\d+)\.(?:(?:conv|fc|local)\.)?(.+)", name)
    if match is None or match[2] not in _PARTS:
        raise ValueError(f"expected the name of a tensor of Darknet, got {name}")
    return int(match[1]), _PARTS.index(match[2])
