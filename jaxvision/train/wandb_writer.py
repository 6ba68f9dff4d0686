"""Metrics and pictures of a run on Weights & Biases, by the extra `wandb`."""

import math
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxvision.data.extras import library
from jaxvision.data.files import write_whole

# Names the run on Weights & Biases, so that a run that continues goes on there too.
_FILE = "wandb_run.txt"


class WandbWriter:
    """Sends metrics and pictures of a run to Weights & Biases.

    Args:
        project: Name of the project there.
        workdir: Work directory, whose name is that of the run there.
        config: Values of the run.

    Raises:
        ImportError: If the extra is not installed.
    """

    def __init__(self, project: str, workdir: pathlib.Path, config: Mapping[str, Any]) -> None:
        self._wandb = client()
        file = workdir / _FILE
        known = file.read_text().strip() if file.exists() else None
        self._run = self._wandb.init(
            project=project,
            name=workdir.name,
            dir=str(workdir),
            id=known,
            resume="allow",
            config=dict(config),
        )
        write_whole(file, f"{self._run.id}\n")

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Records metrics of a step, without those that are NaN or infinite."""
        self._run.log({k: v for k, v in metrics.items() if math.isfinite(v)}, step=step)

    def picture(self, step: int, name: str, image: np.ndarray) -> None:
        """Records an RGB picture [H, W, 3] uint8."""
        self._run.log({name: self._wandb.Image(image)}, step=step)

    def close(self) -> None:
        """Sends what is left."""
        self._run.finish()


def client() -> Any:
    """Returns the library of Weights & Biases; ImportError if the extra is not installed."""
    return library("wandb", "wandb")
