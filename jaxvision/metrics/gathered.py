"""Probabilities of a whole evaluation with the true classes, from which metrics are computed.

They take 4 bytes an image and class: 200 MB for the 50,000 images and 1,000 classes of ImageNet.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import flax.struct
import numpy as np
from clu import metrics

from jaxvision.metrics.curves import Ranked
from jaxvision.metrics.records import leaves


class Gathered(NamedTuple):
    """Predictions and true classes of n images.

    Attributes:
        index: Number of each image [n] int32.
        probabilities: [n, K] float32.
        truth: Class [n] int32, or 1 for every class that an image shows [n, K] float32.
    """

    index: np.ndarray
    probabilities: np.ndarray
    truth: np.ndarray


@flax.struct.dataclass(eq=False)
class GatheredPredictions(metrics.Metric):
    """Images with their predictions; merging copies nothing, `compute` is the subclass's.

    Attributes:
        class_names: Names of the classes, () only in `empty()`.
        records: A tree of tuples with `Gathered` leaves.
    """

    class_names: tuple[str, ...] = flax.struct.field(pytree_node=False)
    records: tuple[Any, ...] = flax.struct.field(pytree_node=False, repr=False)

    @classmethod
    def empty(cls) -> Self:
        """Returns the metric of no images; merging it changes nothing."""
        return cls(class_names=(), records=())

    @classmethod
    def gather(
        cls,
        probabilities: np.ndarray,
        key: str,
        batch: Any,
        class_names: Sequence[str],
    ) -> Self:
        """Takes the predictions of one evaluation batch.

        Args:
            probabilities: [B, K].
            key: Key of the true classes in the batch: `label` [B] or `targets` [B, K].
            batch: The evaluation batch; images whose `mask` is False are dropped.
            class_names: Name of each class, without repetition.

        Raises:
            ValueError: If the batch is not an evaluation batch, a label is out of range, or a class
                has no name.
        """
        missing = [name for name in (key, "index", "mask") if name not in batch]
        if missing:
            raise ValueError(f"batch must be an evaluation batch, it has no {', '.join(missing)}")
        names = tuple(class_names)
        probabilities = np.asarray(probabilities, np.float32)
        if probabilities.shape[1] != len(names) or len(set(names)) != len(names):
            raise ValueError(
                f"class_names must be {probabilities.shape[1]} different names, got {len(names)}: "
                f"{', '.join(names[:5])}, ..."
            )
        mask = np.asarray(batch["mask"], bool)
        truth = np.asarray(batch[key])[mask]
        if truth.ndim == 1 and truth.size and (truth.min() < 0 or truth.max() >= len(names)):
            raise ValueError(
                f"labels must be in [0, {len(names)}), got {truth.min()} to {truth.max()}"
            )
        record = Gathered(np.asarray(batch["index"])[mask], probabilities[mask], truth)
        return cls(class_names=names, records=(record,))

    def merge(self, other: Self) -> Self:
        """Joins the images of both.

        Raises:
            ValueError: If the classes differ.
        """
        if self.class_names and other.class_names and self.class_names != other.class_names:
            raise ValueError(
                f"class_names must be the same, got {self.class_names} and {other.class_names}"
            )
        return type(self)(
            class_names=self.class_names or other.class_names,
            records=(self.records, other.records),
        )

    def joined(self) -> Gathered:
        """Returns all images, sorted by index, so that no result depends on the batches.

        Raises:
            ValueError: If there is no image, or one was evaluated twice.
        """
        found = leaves(self.records, Gathered)
        if not found:
            raise ValueError("expected the predictions of one or more batches, got none")
        index, probabilities, truth = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.argsort(index, kind="stable")
        index = index[order]
        twice = index[1:][index[1:] == index[:-1]]
        if len(twice):
            raise ValueError(f"every image must be evaluated once, got {twice[0]} twice")
        return Gathered(index, probabilities[order], truth[order])


def ranking(probabilities: np.ndarray, truth: np.ndarray) -> dict[str, np.ndarray]:
    """Computes how well each class's probability ranks images that show it before the others.

    Args:
        probabilities: [n, K].
        truth: True where an image shows a class [n, K].

    Returns:
        `auc` and `average_precision` [K]; nan for a class that no image shows, and for the area
        also where all do.
    """
    ranked = [Ranked.of(truth[:, k], probabilities[:, k]) for k in range(truth.shape[1])]
    return {
        "auc": np.array([one.auc() for one in ranked]),
        "average_precision": np.array([one.average_precision() for one in ranked]),
    }


def mean_of_defined(values: np.ndarray) -> float:
    """Averages the values that are not nan; nan if all are."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def by_class(
    values: dict[str, np.ndarray], class_names: Sequence[str], limit: int
) -> dict[str, float]:
    """Names values [K] as `recall/cat`; nothing where there are more than `limit` classes."""
    if len(class_names) > limit:
        return {}
    return {
        f"{name}/{label}": float(column[k])
        for k, label in enumerate(class_names)
        for name, column in values.items()
    }
