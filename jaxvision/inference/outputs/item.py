"""What a result belongs to: a picture, a frame of a video, or a sentence of a text."""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxvision.inference.result import Result


class Item(NamedTuple):
    """An input.

    Attributes:
        path: The file.
        name: Its name without folder and ending, for the files about it; each has its own.
        frame: Number of the frame from 0, None for a picture.
        seconds: When the frame is shown.
        line: Number of the line from 1, None but for text.
    """

    path: str
    name: str
    frame: int | None = None
    seconds: float | None = None
    line: int | None = None

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the columns that say which input a row belongs to."""
        return ("image", "frame", "seconds") if self.line is None else ("file", "line")

    def columns(self) -> dict[str, Any]:
        """Returns what is known of it as values that JSON can hold."""
        found = {"image": self.path, "file": self.path, **self._asdict()}
        return {name: found[name] for name in self.header if found[name] is not None}


Add = Callable[[Item, Result], None]


class Names:
    """Names files without folder and ending, with a number where that name is taken."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def __call__(self, path: str) -> str:
        """Names a file."""
        stem = os.path.splitext(os.path.basename(path))[0].replace(":", "_")
        name, number = stem, 1
        while name in self._taken:
            number += 1
            name = f"{stem}_{number}"
        self._taken.add(name)
        return name
