"""Multi-label classification from a detection dataset: which classes each image shows.

PASCAL VOC's classification task is made from its boxes this way.
"""

import numpy as np

from jaxvision.data.sample import image_objects
from jaxvision.data.source import Annotation, Source
from jaxvision.data.sources.labelled import Labelled, describe_labels


class MultiLabelView(Labelled):
    """A detection dataset as images with any number of classes; crowds count as objects.

    Attributes:
        classes: Class names, in the order of their indices.
        labels: 1 for every class that an image shows, else 0 [I, K] float32.
    """

    def __init__(self, source: Source) -> None:
        """Reads the annotations of all images once.

        Args:
            source: Where images and objects come from.

        Raises:
            DataError: If an annotation has no size and the image's header cannot be read.
        """
        self.classes = source.classes
        self.labels = np.zeros((len(source), len(source.classes)), np.float32)
        self._source = source
        for index in range(len(source)):
            found = source.known_objects(index)
            if found is None:
                objects = source.annotation(index).objects or image_objects([])
                found = objects.classes, objects.crowd
            self.labels[index, found[0]] = 1.0

    def annotation(self, index: int) -> Annotation:
        """Returns the height and width of an image."""
        return self._source.annotation(index)._replace(objects=None)

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Reads an image, at a fraction of its size if that is faster."""
        return self._source.image(index, max_reduction)

    def encoded(self, index: int) -> bytes:
        """Returns an image as it is stored."""
        return self._source.encoded(index)

    def name(self, index: int) -> str:
        """Names an image as the detection dataset does."""
        return self._source.name(index)

    def describe(self, max_objects: int | None = None) -> str:
        """Reports the detection dataset, and how many images show each class."""
        found = self._source.describe(max_objects)
        return f"{found}\n{describe_labels('images by class', self.labels, self.classes)}"
