"""What can be chosen for an exported file."""

import dataclasses
from typing import Any

PRECISIONS = ("float32", "float16", "int8")


@dataclasses.dataclass(frozen=True)
class Options:
    """Choices for a file; see `jaxvision.inference.export.write.export`.

    Attributes:
        nms: Whether a detector's suppression belongs to the file.
        precision: One of `PRECISIONS`.
        pictures: Files, folders or arrays that INT8 is calibrated on.
        names: `own` or `reference`.
    """

    nms: bool = False
    precision: str = "float32"
    pictures: tuple[Any, ...] = ()
    names: str = "own"
