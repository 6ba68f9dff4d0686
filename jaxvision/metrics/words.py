"""What vectors of words and nodes are measured by."""

from typing import Any

import flax.struct
import numpy as np
from clu import metrics
from sklearn.linear_model import LogisticRegression


@flax.struct.dataclass
class RightAnswers(metrics.Metric):
    """Questions with one right answer each; merging adds them.

    Attributes:
        right: Number of right answers.
        asked: Number of questions.
    """

    right: int
    asked: int

    @classmethod
    def empty(cls) -> "RightAnswers":
        """Returns the metric of no questions; merging it changes nothing."""
        return cls(0, 0)

    def merge(self, other: "RightAnswers") -> "RightAnswers":
        """Adds the questions of another metric."""
        return RightAnswers(self.right + other.right, self.asked + other.asked)

    def compute(self) -> dict[str, float]:
        """Returns `accuracy`; nan where nothing was asked."""
        return {"accuracy": self.right / self.asked if self.asked else float("nan")}


@flax.struct.dataclass
class PairLoss(metrics.Metric):
    """Sums of the losses of pairs; merging adds them.

    Attributes:
        total: Sum of the losses.
        pairs: Their number.
    """

    total: float
    pairs: float

    @classmethod
    def empty(cls) -> "PairLoss":
        """Returns the metric of no pairs; merging it changes nothing."""
        return cls(0.0, 0.0)

    def merge(self, other: "PairLoss") -> "PairLoss":
        """Adds the pairs of another metric."""
        return PairLoss(self.total + other.total, self.pairs + other.pairs)

    def compute(self) -> dict[str, float]:
        """Returns `loss`, the mean of a pair; nan where there is none."""
        return {"loss": self.total / self.pairs if self.pairs else float("nan")}


class NodeProbe(RightAnswers):
    """How well the classes of nodes are read off their vectors, by logistic regression."""

    @classmethod
    def from_model_output(cls, *, vectors: np.ndarray, batch: Any, **_: Any) -> "RightAnswers":
        """Fits the regression to some nodes and applies it to others.

        Args:
            vectors: Of all nodes [N, D].
            batch: With `train_nodes` and their `train_labels`, which it is fitted to, and `nodes`
                and their `labels`.
        """
        vectors = np.asarray(vectors, np.float64)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        # Unit vectors are small: C = 1 would hold the weights near 0.
        model = LogisticRegression(C=10.0, max_iter=1000)
        model.fit(vectors[np.asarray(batch["train_nodes"])], np.asarray(batch["train_labels"]))
        found = np.asarray(model.predict(vectors[np.asarray(batch["nodes"])]))
        right = np.equal(found, np.asarray(batch["labels"]))
        return RightAnswers(int(right.sum()), len(found))
