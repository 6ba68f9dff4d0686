"""What is measured of a diffusion model's predictions, and of generated images by themselves."""

from typing import Any

import flax.struct
import numpy as np
from clu import metrics


@flax.struct.dataclass
class NoiseLoss(metrics.Average):
    """Mean squared error of the predicted noise over images and times."""

    def compute(self) -> dict[str, float]:
        """Returns `noise_loss`."""
        return {"noise_loss": float(super().compute())}


@flax.struct.dataclass(eq=False)
class SampleStatistics(metrics.Metric):
    """Sums over generated images; merging adds them.

    Attributes:
        count: Number of images.
        total: Sum of each value over the images [H, W, C] float64.
        squares: Sum of its squares.
    """

    count: int
    total: np.ndarray
    squares: np.ndarray

    @classmethod
    def from_model_output(cls, images: Any, mask: Any) -> "SampleStatistics":
        """Adds up the images [B, H, W, C] uint8 of the rows [B] whose mask is True."""
        kept = np.asarray(images)[np.asarray(mask, bool)] / 255.0
        return cls(len(kept), kept.sum(axis=0), np.square(kept).sum(axis=0))

    def merge(self, other: "SampleStatistics") -> "SampleStatistics":
        """Adds the sums of both."""
        return SampleStatistics(
            self.count + other.count, self.total + other.total, self.squares + other.squares
        )

    def compute(self) -> dict[str, float]:
        """Returns `brightness`, the mean of all values, and `spread`; images are in [0, 1].

        `spread` is the standard deviation of a value over the images, averaged over the values: it
        is 0 where all images are the same.
        """
        mean = self.total / max(self.count, 1)
        variance = np.maximum(self.squares / max(self.count, 1) - np.square(mean), 0.0)
        return {"brightness": float(mean.mean()), "spread": float(np.sqrt(variance).mean())}
