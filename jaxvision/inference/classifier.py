"""A trained classifier, applied to images."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import jax
import numpy as np

from jaxvision.data.source import Transform
from jaxvision.inference.classes import Classes
from jaxvision.inference.image_predictor import ImagePredictor
from jaxvision.inference.images import Image, Part, path_of, pixels
from jaxvision.inference.predictor import Origin
from jaxvision.inference.reports.classification import report_classification
from jaxvision.inference.reports.layout import EvaluationReport
from jaxvision.metrics.multi_label import THRESHOLD
from jaxvision.plots.probabilities import probability_chart
from jaxvision.plots.style import to_rgb
from jaxvision.tasks.classification import ImageClassification
from jaxvision.tasks.task import Batch, ModelState, Params
from jaxvision.train.evaluate import Evaluation, Predict


@dataclasses.dataclass(frozen=True, eq=False)
class ImageClasses(Classes):
    """The classes of one image.

    Attributes:
        probabilities: Of each class [K] float32.
        class_names: The classifier's.
        multi_label: Whether an image may show several classes, or none.
        image: The file or the array.
        size: Height and width of the image in pixels.
    """

    probabilities: np.ndarray
    class_names: tuple[str, ...]
    multi_label: bool
    image: Image
    size: tuple[int, int]

    columns = ("name", "probability")

    @property
    def names(self) -> list[str]:
        """The most probable class; with `multi_label` all of probability 1/2 or more."""
        if not self.multi_label:
            return [self.name]
        return [name for name, p in self.top(len(self.class_names)) if p >= THRESHOLD]

    def plot(self, count: int = 5) -> np.ndarray:
        """Draws the image beside its most probable classes; a file is read again.

        Returns:
            RGB [H, W, 3] uint8.
        """
        return to_rgb(probability_chart(pixels(self.image), self.top(count)))

    def to_dict(self, count: int = 5) -> dict[str, Any]:
        """Returns the most probable classes as values that JSON can hold."""
        return {
            "image": path_of(self.image),
            "height": self.size[0],
            "width": self.size[1],
            "names": self.names,
            "classes": [{"name": name, "probability": p} for name, p in self.top(count)],
        }

    def summary(self) -> str:
        """Names the classes with their probabilities."""
        top = self.top(len(self.names)) if self.names else []
        return ", ".join(f"{name} {p:.1%}" for name, p in top) or "no class"

    def rows(self) -> list[dict[str, Any]]:
        """Returns a row for each of the five most probable classes, the most probable first."""
        return [{"name": name, "probability": p} for name, p in self.top()]


class Classifier(ImagePredictor):
    """Says what images show.

        classifier = jaxvision.load("runs/classify_folder")
        found = classifier("image.jpg")
        found.name, found.top(5), found.plot()

    The first image takes longer, since the network is compiled then.

    Attributes:
        class_names: By class index.
        batch_size: Images predicted at a time, at most.
    """

    options = ("tta", "batch_size")
    formats = ("json", "csv")
    task: ImageClassification

    def __init__(
        self,
        task: ImageClassification,
        variables: Mapping[str, Any],
        transform: Transform,
        *,
        batch_size: int = 16,
        origin: Origin | None = None,
    ) -> None:
        """Puts the variables on the devices.

        Args:
            task: Holds the network and the class names.
            variables: {"params", **other collections} of the network.
            transform: Prepares images as the evaluation of the network does.
            batch_size: Images predicted at a time, at most.
            origin: The run that the variables come from.

        Raises:
            ValueError: If `batch_size` is not positive.
        """
        super().__init__(
            task,
            variables,
            transform,
            class_names=task.class_names,
            batch_size=batch_size,
            origin=origin,
        )

    def replaced(self, *, tta: bool | None = None, batch_size: int | None = None) -> Self:
        """Returns a classifier of the same variables with other options; None keeps an option.

        Args:
            tta: Whether probabilities are the mean of those of the image and its mirror image.
            batch_size: Images predicted at a time.

        Raises:
            ValueError: If `batch_size` is not positive.
        """
        changed = self._copied(batch_size)
        if tta is not None:
            changed._infer = _with_mirror_image(self._predict) if tta else self._predict
        return changed

    def report(self, evaluation: Evaluation, data: Any) -> EvaluationReport:
        """Lays out an evaluation: classes, confusions, curves, calibration, the worst pictures."""
        return report_classification(evaluation, data)

    def _outputs(
        self, task: Any, given: tuple[Params, ModelState, Batch], key: jax.Array, nms: bool
    ) -> dict[str, jax.Array]:
        if nms:
            raise ValueError("nms is for detectors, got a classifier")
        return {"probabilities": task.predict(*given, key=key)}

    def _result(self, part: Part, parts: list[tuple[Part, Any]]) -> ImageClasses:
        ((_, probabilities),) = parts
        return ImageClasses(
            probabilities, self.class_names, self.task.multi_label, part.image, part.size
        )


def _with_mirror_image(predict: Predict) -> Predict:
    def both(params: Params, state: ModelState, batch: Batch, key: jax.Array) -> jax.Array:
        mirrored = {**batch, "image": batch["image"][..., ::-1, :]}
        return (predict(params, state, batch, key) + predict(params, state, mirrored, key)) / 2

    # Not compiled as a whole: what is compiled for images alone serves for both.
    return both
