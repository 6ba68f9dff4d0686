"""The batches of steps that ended a run, in `failed/`, to be looked at and made again."""

import pathlib
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxvision.data.files import replacing

_FOLDER = "failed"
_NAME = re.compile(r"step_(\d+)\.npz")


def keep_batch(workdir: pathlib.Path, step: int, batch: Mapping[str, Any]) -> pathlib.Path:
    """Writes the batch of a step, counted from 1; returns the file."""
    folder = workdir / _FOLDER
    folder.mkdir(exist_ok=True)
    path = folder / f"step_{step}.npz"
    with replacing(path) as temporary, temporary.open("wb") as file:
        arrays: dict[str, Any] = {name: np.asarray(x) for name, x in batch.items()}
        np.savez(file, **arrays)
    return path


def read_batch(workdir: pathlib.Path, step: int) -> dict[str, np.ndarray] | None:
    """Reads the batch of a step; None if it was not kept.

    Raises:
        ValueError: If the file is damaged.
    """
    path = workdir / _FOLDER / f"step_{step}.npz"
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # zipfile and numpy raise many
        raise ValueError(f"{path} is damaged: {error}; delete it") from error


def failed_steps(workdir: pathlib.Path) -> list[int]:
    """Lists the steps whose batches were kept, in order."""
    files = (workdir / _FOLDER).glob("*.npz")
    return sorted(int(found[1]) for file in files if (found := _NAME.fullmatch(file.name)))
