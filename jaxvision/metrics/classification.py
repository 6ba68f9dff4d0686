"""Metrics of a classifier whose images have one class each.

A value that no image defines, such as the recall of a class that no image has, is nan: tables show
it as missing, and no mean includes it.
"""

from collections.abc import Sequence

import flax.struct
import numpy as np
from sklearn.metrics import confusion_matrix

from jaxvision.data.batch import ClassificationBatch
from jaxvision.metrics.curves import Calibration, calibration
from jaxvision.metrics.gathered import GatheredPredictions, by_class, mean_of_defined, ranking

# With more classes there are no values of single classes: ImageNet's would be thousands.
MAX_CLASSES_SHOWN = 100
TOP = 5


@flax.struct.dataclass(eq=False)
class Classification(GatheredPredictions):
    """Accuracy, confusions, ranking and calibration of single-label predictions."""

    @classmethod
    def from_model_output(
        cls, *, probabilities: np.ndarray, batch: ClassificationBatch, class_names: Sequence[str]
    ) -> "Classification":
        """Takes the predictions of one evaluation batch.

        Args:
            probabilities: [B, K], each row summing to 1.
            batch: The evaluation batch; images whose `mask` is False are dropped.
            class_names: Name of each class, without repetition.

        Raises:
            ValueError: If the batch is not an evaluation batch, a label is out of range, or a class
                has no name.
        """
        return cls.gather(probabilities, "label", batch, class_names)

    def confusion(self) -> np.ndarray:
        """Counts images by true class and predicted class [K, K] int64."""
        _, probabilities, labels = self.joined()
        return _confusion(labels, probabilities.argmax(axis=1), len(self.class_names))

    def calibration(self) -> Calibration:
        """Computes the accuracy by the probability of the predicted class."""
        _, probabilities, labels = self.joined()
        return _calibration(probabilities, labels)

    def compute(self) -> dict[str, float]:
        """Evaluates all images together.

        Returns:
            `accuracy`; `top5` where there are more than five classes; `precision`, `recall` and
            `f1`, means over the classes; `auc` (one class against the rest) and
            `average_precision`, means over the classes; `ece`, the expected calibration error in
            15 bins; `nll`, the mean negative log likelihood; all but the last in [0, 1]. For up to
            100 classes also `precision/<name>`, `recall/<name>`, `f1/<name>`, `auc/<name>`. A class
            that is never predicted has a precision of 0; one that no image has is nan in all.

        Raises:
            ValueError: If there is no image, or one has been given twice.
        """
        _, probabilities, labels = self.joined()
        count = len(self.class_names)
        own = np.take_along_axis(probabilities, labels[:, None], axis=1)
        # Equal probabilities are ranked by their class, as argmax does.
        before = (probabilities == own) & (np.arange(count)[None] < labels[:, None])
        rank = ((probabilities > own) | before).sum(axis=1)
        one_hot = labels[:, None] == np.arange(count)[None]

        confusion = _confusion(labels, probabilities.argmax(axis=1), count)
        right, true, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
        present = true > 0
        each = {
            "precision": np.where(present, right / np.maximum(predicted, 1), np.nan),
            "recall": np.where(present, right / np.maximum(true, 1), np.nan),
            "f1": np.where(present, 2 * right / np.maximum(true + predicted, 1), np.nan),
            **ranking(probabilities, one_hot),
        }
        values = {"accuracy": float((rank == 0).mean())}
        if count > TOP:
            values["top5"] = float((rank < TOP).mean())
        values |= {name: mean_of_defined(column) for name, column in each.items()}
        values["ece"] = _calibration(probabilities, labels).error
        values["nll"] = float(-np.log(np.maximum(own, np.finfo(np.float32).tiny)).mean())
        del each["average_precision"]
        return values | by_class(each, self.class_names, MAX_CLASSES_SHOWN)


def _confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    return confusion_matrix(labels, predicted, labels=np.arange(classes))


def _calibration(probabilities: np.ndarray, labels: np.ndarray) -> Calibration:
    right = probabilities.argmax(axis=1) == labels
    return calibration(probabilities.max(axis=1), right)
