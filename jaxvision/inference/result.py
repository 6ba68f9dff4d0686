"""What every prediction can do, whatever the task."""

import abc
import json
import os
import pathlib
from typing import Any, ClassVar

import numpy as np

from jaxvision.data.files import write_whole
from jaxvision.data.image import encode_image

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")


class Result(abc.ABC):
    """The prediction for one input.

    Attributes:
        columns: Names of what `rows` holds.
    """

    columns: ClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def plot(self) -> np.ndarray:
        """Draws the prediction, RGB [H, W, 3] uint8."""

    @abc.abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Returns the prediction as values that JSON can hold."""

    @abc.abstractmethod
    def rows(self) -> list[dict[str, Any]]:
        """Returns the prediction as rows of a table, of the columns `columns`."""

    @abc.abstractmethod
    def summary(self) -> str:
        """Says in a few words what was predicted."""

    def to_json(self) -> str:
        """Returns `to_dict` as JSON text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=2)

    def save(self, path: str | os.PathLike[str]) -> pathlib.Path:
        """Writes `plot` to a picture or `to_json` to a `.json` file; missing folders are made.

        Args:
            path: Ends in .json, .png, .jpg or .jpeg.

        Returns:
            The file.

        Raises:
            ValueError: If it has another ending.
            OSError: If it cannot be written.
        """
        path = pathlib.Path(path)
        suffix = path.suffix.lower()
        if suffix != ".json" and suffix not in PICTURE_SUFFIXES:
            known = ", ".join((".json", *PICTURE_SUFFIXES))
            raise ValueError(f"path must end in one of {known}, got {path}")
        path.parent.mkdir(parents=True, exist_ok=True)
        if suffix == ".json":
            write_whole(path, self.to_json() + "\n")
        else:
            write_whole(path, encode_image(self.plot(), ".png" if suffix == ".png" else ".jpg"))
        return path
