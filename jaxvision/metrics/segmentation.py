"""Metrics of semantic segmentation from one confusion matrix of a whole set, void left out.

A value that no pixel defines, such as the accuracy of a class that is nowhere, is nan; no mean
includes it.
"""

from collections.abc import Iterable, Sequence

import flax.struct
import numpy as np
from clu import metrics

from jaxvision.data.batch import SegmentationBatch
from jaxvision.data.sample import VOID
from jaxvision.metrics.gathered import by_class, mean_of_defined

# With more classes there are no values of single classes.
MAX_CLASSES_SHOWN = 200


@flax.struct.dataclass(eq=False)
class Segmentation(metrics.Metric):
    """Counts of pixels by true and predicted class; merging adds them.

    Attributes:
        class_names: Names of the classes, () only in `empty()`.
        confusion: Pixels by true class (rows) and predicted class (columns) [K, K] int64.
        images: Number of images.
        image_dice: Sum of the mean Dice of each image, and the number of images that have one [2].
    """

    class_names: tuple[str, ...] = flax.struct.field(pytree_node=False)
    confusion: np.ndarray
    images: int
    image_dice: np.ndarray

    @classmethod
    def empty(cls) -> "Segmentation":
        """Returns the metric of no images; merging it changes nothing."""
        return cls((), np.zeros((0, 0), np.int64), 0, np.zeros(2))

    @classmethod
    def from_model_output(
        cls, *, predicted: np.ndarray, batch: SegmentationBatch, class_names: Sequence[str]
    ) -> "Segmentation":
        """Compares the predictions of one evaluation batch with its label maps.

        Args:
            predicted: Class of each pixel [B, H, W] int.
            batch: The evaluation batch; images whose `mask` is False are dropped.
            class_names: Name of each class, without repetition.

        Raises:
            ValueError: If the batch is not an evaluation batch, the sizes differ, or a class is out
                of range.
        """
        missing = [name for name in ("label_map", "mask") if name not in batch]
        if missing:
            raise ValueError(f"batch must be an evaluation batch, it has no {', '.join(missing)}")
        mask = np.asarray(batch.get("mask"), bool)
        truth, predicted = np.asarray(batch["label_map"]), np.asarray(predicted)
        if truth.shape != predicted.shape:
            raise ValueError(
                f"predictions must be of the label maps' size {truth.shape}, got {predicted.shape}"
            )
        return cls.from_images(zip(truth[mask], predicted[mask], strict=True), class_names)

    @classmethod
    def from_images(
        cls, images: Iterable[tuple[np.ndarray, np.ndarray]], class_names: Sequence[str]
    ) -> "Segmentation":
        """Compares images, of which each may have its own size; one at a time is looked at.

        Args:
            images: True and predicted classes [H, W] int of each, `VOID` for pixels that do not
                count.
            class_names: Name of each class, without repetition.

        Raises:
            ValueError: If the sizes of a pair differ, or a class is out of range.
        """
        names = tuple(class_names)
        counts = np.zeros((len(names), len(names)), np.int64)
        image_dice, number = np.zeros(2), 0
        for true, found in images:
            own = confusion_matrix(true, found, len(names))
            counts += own
            number += 1
            if own.any():
                image_dice += mean_of_defined(class_values(own)["dice"]), 1
        return cls(names, counts, number, image_dice)

    def merge(self, other: "Segmentation") -> "Segmentation":
        """Adds the counts of both.

        Raises:
            ValueError: If the classes differ.
        """
        if not self.class_names or not other.class_names:
            return self if self.class_names else other
        if self.class_names != other.class_names:
            raise ValueError(
                f"class_names must be the same, got {self.class_names} and {other.class_names}"
            )
        return Segmentation(
            self.class_names,
            self.confusion + other.confusion,
            self.images + other.images,
            self.image_dice + other.image_dice,
        )

    def compute(self) -> dict[str, float]:
        """Evaluates all pixels together.

        Returns:
            `mIoU`, the mean over the classes of the intersection over union; `pixel_accuracy`;
            `mean_accuracy` and `mean_precision`, means of the classes' recall and precision;
            `mean_dice`; `mean_dice_per_image`, the mean over the images of theirs;
            `frequency_weighted_iou`; all in [0, 1]. Means are over the classes that
            occur in truth or prediction. For up to 200 classes also `IoU/<name>`,
            `accuracy/<name>` and `dice/<name>`.

        Raises:
            ValueError: If there is no image.
        """
        if not self.class_names:
            raise ValueError("expected the predictions of one or more batches, got none")
        each = class_values(self.confusion)
        own, total = np.diag(self.confusion), self.confusion.sum()
        frequency = self.confusion.sum(axis=1) / max(total, 1)
        values = {
            "mIoU": mean_of_defined(each["IoU"]),
            "pixel_accuracy": float(own.sum() / total) if total else float("nan"),
            "mean_accuracy": mean_of_defined(each["accuracy"]),
            "mean_precision": mean_of_defined(each.pop("precision")),
            "mean_dice": mean_of_defined(each["dice"]),
            "mean_dice_per_image": float(self.image_dice[0] / self.image_dice[1])
            if total
            else float("nan"),
            "frequency_weighted_iou": float((frequency * np.nan_to_num(each["IoU"])).sum())
            if total
            else float("nan"),
        }
        return values | by_class(each, self.class_names, MAX_CLASSES_SHOWN)


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts pixels by true class (rows) and predicted class (columns).

    Args:
        truth: Classes, `VOID` for pixels that do not count [...] int.
        predicted: Classes [...] int.
        classes: Their number, K.

    Returns:
        [K, K] int64.

    Raises:
        ValueError: If a class is out of range, or the shapes differ.
    """
    if truth.shape != predicted.shape:
        raise ValueError(
            f"predictions must be of the labels' size {truth.shape}, got {predicted.shape}"
        )
    counted = truth != VOID
    true, found = truth[counted].astype(np.int64), predicted[counted].astype(np.int64)
    for name, array in (("labels", true), ("predictions", found)):
        if array.size and (array.min() < 0 or array.max() >= classes):
            raise ValueError(
                f"{name} must be in [0, {classes}), or {VOID} for void, got {array.min()} to "
                f"{array.max()}"
            )
    counts = np.bincount(true * classes + found, minlength=classes * classes)
    return counts.reshape(classes, classes)


def class_values(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Computes `IoU`, `accuracy` (recall), `precision` and `dice` of each class [K] in [0, 1].

    Args:
        confusion: Pixels by true and predicted class [K, K].

    Returns:
        Values by name; nan for a class that is neither in truth nor in prediction. A class that is
        only predicted has an accuracy of 0, one that never is a precision of 0.
    """
    own = np.diag(confusion).astype(np.float64)
    true, found = confusion.sum(axis=1), confusion.sum(axis=0)
    present = true + found > 0

    def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
        return np.where(present, numerator / np.maximum(denominator, 1), np.nan)

    return {
        "IoU": ratio(own, true + found - own),
        "accuracy": ratio(own, true),
        "precision": ratio(own, found),
        "dice": ratio(2 * own, true + found),
    }
