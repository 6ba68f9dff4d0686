"""Accuracy over episodes, with its 95% interval."""

from collections.abc import Mapping
from typing import Any

import flax.struct
import numpy as np
from clu import metrics


@flax.struct.dataclass
class EpisodeAccuracy(metrics.Metric):
    """Sums over episodes; merging adds them.

    Attributes:
        total: Sum of the accuracies.
        squares: Sum of their squares.
        episodes: Their number.
    """

    total: float
    squares: float
    episodes: int

    @classmethod
    def empty(cls) -> "EpisodeAccuracy":
        """Returns the metric of no episodes; merging it changes nothing."""
        return cls(0.0, 0.0, 0)

    @classmethod
    def from_model_output(cls, *, accuracies: np.ndarray, **_: Any) -> "EpisodeAccuracy":
        """Takes the share of queries whose class was found in each episode [E]."""
        found = np.asarray(accuracies, np.float64)
        return cls(float(found.sum()), float(np.square(found).sum()), len(found))

    def merge(self, other: "EpisodeAccuracy") -> "EpisodeAccuracy":
        """Adds the episodes of another metric."""
        return EpisodeAccuracy(
            self.total + other.total,
            self.squares + other.squares,
            self.episodes + other.episodes,
        )

    def compute(self) -> dict[str, float]:
        """Returns `accuracy`, the mean, and `interval`, 1.96 times its standard error.

        Both are nan where there are too few episodes.
        """
        count = self.episodes
        mean = self.total / count if count else float("nan")
        if count < 2:
            return {"accuracy": mean, "interval": float("nan")}
        variance = max(self.squares - count * mean**2, 0.0) / (count - 1)
        return {"accuracy": mean, "interval": 1.96 * (variance / count) ** 0.5}


@flax.struct.dataclass
class AccuracyBySize(metrics.Metric):
    """Accuracies over episodes of several sizes, which do not mix.

    Attributes:
        sizes: By name, as `5way_1shot`.
    """

    sizes: Mapping[str, EpisodeAccuracy]

    @classmethod
    def empty(cls) -> "AccuracyBySize":
        """Returns the metric of no episodes; merging it changes nothing."""
        return cls({})

    @classmethod
    def from_model_output(cls, *, size: str, **output: Any) -> "AccuracyBySize":
        """Takes episodes of one size, whose name is `size`, as `EpisodeAccuracy` does."""
        return cls({size: EpisodeAccuracy.from_model_output(**output)})

    def merge(self, other: "AccuracyBySize") -> "AccuracyBySize":
        """Adds the episodes of another metric."""
        sizes = dict(self.sizes)
        for name, found in other.sizes.items():
            sizes[name] = sizes[name].merge(found) if name in sizes else found
        return AccuracyBySize(sizes)

    def compute(self) -> dict[str, float]:
        """Returns `accuracy` and `interval`; of several sizes `<size>_accuracy` and so on."""
        if len(self.sizes) == 1:
            return next(iter(self.sizes.values())).compute()
        return {
            f"{size}_{name}": value
            for size, found in self.sizes.items()
            for name, value in found.compute().items()
        }
