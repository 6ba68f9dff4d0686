"""Metrics of a classifier whose images show any number of classes."""

from collections.abc import Sequence

import flax.struct
import numpy as np

from jaxvision.data.batch import ClassificationBatch
from jaxvision.metrics.classification import MAX_CLASSES_SHOWN
from jaxvision.metrics.curves import Calibration, calibration
from jaxvision.metrics.gathered import GatheredPredictions, by_class, mean_of_defined, ranking

# A class with this probability or more is predicted.
THRESHOLD = 0.5


@flax.struct.dataclass(eq=False)
class MultiLabel(GatheredPredictions):
    """Ranking, decisions and calibration of each class."""

    @classmethod
    def from_model_output(
        cls, *, probabilities: np.ndarray, batch: ClassificationBatch, class_names: Sequence[str]
    ) -> "MultiLabel":
        """Takes the predictions of one evaluation batch.

        Args:
            probabilities: [B, K], each in [0, 1].
            batch: The evaluation batch; images whose `mask` is False are dropped.
            class_names: Name of each class, without repetition.

        Raises:
            ValueError: If the batch is not an evaluation batch, or a class has no name.
        """
        return cls.gather(probabilities, "targets", batch, class_names)

    def calibration(self) -> Calibration:
        """Computes how often a class is present by its probability, over all images and classes."""
        _, probabilities, truth = self.joined()
        return calibration(probabilities.ravel(), (truth > 0.5).ravel())

    def compute(self) -> dict[str, float]:
        """Evaluates all images together.

        Returns:
            `mAP`, the mean over the classes of the average precision; `auc`, of the area below the
            ROC curve; `precision`, `recall` and `f1` of decisions at 1/2, means over the classes;
            `subset_accuracy`, the share of images for which every class is decided right; `ece`, in
            15 bins of the probability; all in [0, 1]. For up to 100 classes also
            `average_precision/<name>`, `recall/<name>` and so on. For a class that no image shows
            they are nan, and no mean includes them.

        Raises:
            ValueError: If there is no image, or one was evaluated twice.
        """
        _, probabilities, truth = self.joined()
        truth = truth > 0.5
        decided = probabilities >= THRESHOLD
        right = (truth & decided).sum(axis=0)
        true, predicted = truth.sum(axis=0), decided.sum(axis=0)
        present = true > 0
        each = {
            "precision": np.where(present, right / np.maximum(predicted, 1), np.nan),
            "recall": np.where(present, right / np.maximum(true, 1), np.nan),
            "f1": np.where(present, 2 * right / np.maximum(true + predicted, 1), np.nan),
            **ranking(probabilities, truth),
        }
        values = {"mAP": mean_of_defined(each["average_precision"])}
        values |= {n: mean_of_defined(v) for n, v in each.items() if n != "average_precision"}
        values["subset_accuracy"] = float((truth == decided).all(axis=1).mean())
        values["ece"] = self.calibration().error
        return values | by_class(each, self.class_names, MAX_CLASSES_SHOWN)
