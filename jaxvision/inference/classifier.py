"""A trained classifier, applied to images."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from jaxvision.inference.images import Image, Transform, image_batches, listed, path_of, pixels
from jaxvision.inference.predictor import Origin, Predictor
from jaxvision.metrics.multi_label import THRESHOLD
from jaxvision.plots.probabilities import probability_chart
from jaxvision.plots.style import to_rgb
from jaxvision.tasks.classification import ImageClassification


@dataclasses.dataclass(frozen=True, eq=False)
class ImageClasses:
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

    @property
    def name(self) -> str:
        """The most probable class."""
        return self.class_names[int(self.probabilities.argmax())]

    @property
    def names(self) -> list[str]:
        """The most probable class; with `multi_label` all of probability 1/2 or more."""
        if not self.multi_label:
            return [self.name]
        return [name for name, p in self.top(len(self.class_names)) if p >= THRESHOLD]

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """Returns the most probable classes with their probabilities, the most probable first."""
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(self.class_names[k], float(self.probabilities[k])) for k in order]

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


class Classifier(Predictor):
    """Says what images show.

        classifier = jaxvision.load("runs/classify_folder")
        found = classifier("image.jpg")
        found.name, found.top(5), found.plot()

    The first image takes longer, since the network is compiled then.

    Attributes:
        class_names: By class index.
        batch_size: Images predicted at a time, at most.
    """

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
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        super().__init__(task, variables, origin=origin)
        self.class_names = task.class_names
        self.batch_size = batch_size
        self._transform = transform

    def __call__(self, inputs: Image | Iterable[Image]) -> Any:
        """Classifies images.

        Args:
            inputs: A file, RGB [H, W, 3] uint8, several of them, or a folder of files.

        Returns:
            `ImageClasses` for one image, a list of them for several, in order.

        Raises:
            DataError: If a file is missing or is not an image.
            ValueError: If an array is not an RGB image, or a folder holds no image.
        """
        images, single = listed(inputs)
        results: list[Any] = [None] * len(images)
        batches = image_batches(images, self._transform, self.batch_size)
        for original, probabilities in self.predict_batches(batches):
            results[original.number] = ImageClasses(
                probabilities,
                self.class_names,
                self.task.multi_label,
                original.image,
                original.size,
            )
        return results[0] if single else results
