"""What an evaluation shows beside its metrics: lines for the terminal, pictures for `plots/`."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np


class Report(NamedTuple):
    """What `Experiment.report` returns.

    Attributes:
        lines: Shown below the metrics.
        pictures: RGB [H, W, 3] uint8 by name, written to `plots/<name>_<step>.png`.
    """

    lines: Sequence[str] = ()
    pictures: Mapping[str, np.ndarray] = {}


class Evaluated(Protocol):
    """The part of `jaxvision.train.evaluate.Evaluation` that a report reads."""

    @property
    def metric(self) -> Any:
        """The task's measure of all batches, merged."""
        ...

    @property
    def predictions(self) -> Any:
        """Predictions for the first batch, numpy arrays."""
        ...

    @property
    def batch(self) -> Mapping[str, Any]:
        """The first batch, with its `truth`."""
        ...
