"""Which classes an image shows, from a detection dataset: multi-label classification.

PASCAL VOC's classification task is made from its boxes this way.
"""

import numpy as np

from jaxvision.data.classification_example import describe_labels
from jaxvision.data.example import DetectionSource, lazy


class Presence:
    """A detection dataset as images with several labels; crowds count as objects.

    Attributes:
        classes: Class names, in the order of their indices.
        labels: 1 for every class that an image shows, else 0 [I, K] float32.
    """

    def __init__(self, source: DetectionSource) -> None:
        """Reads the annotations of all images once.

        Args:
            source: Where images and objects come from.

        Raises:
            DataError: If an annotation has no size and its image cannot be asked for it.
        """
        self.classes = source.classes
        self._source = lazy(source)
        self.labels = np.zeros((len(source), len(source.classes)), np.float32)
        for index in range(len(source)):
            self.labels[index, self._source.annotation(index).classes] = 1.0

    def __len__(self) -> int:
        return len(self.labels)

    def size(self, index: int) -> tuple[int, int]:
        """Returns the height and width of an image."""
        found = self._source.annotation(index)
        return found.height, found.width

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Reads an image, at a fraction of its size if that is faster."""
        return self._source.image(index, max_reduction)

    def name(self, index: int) -> str:
        """Names an image as the detection dataset does."""
        return self._source.name(index)

    def describe(self) -> str:
        """Reports the detection dataset, and how many images show each class."""
        return f"{self._source.describe()}\n{describe_labels('images by class', self)}"
