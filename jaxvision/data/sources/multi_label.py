"""Multi-label classification from a detection dataset: which classes each image shows.

PASCAL VOC's classification task is made from its boxes this way.
"""

import numpy as np

from jaxvision.data.sample import Sample
from jaxvision.data.source import Annotation, Source, View
from jaxvision.data.sources.labelled import describe_labels


class MultiLabelView(View):
    """A detection dataset as images with any number of classes; crowds count as objects.

    Attributes:
        labels: 1 for every class that an image shows, else 0 [I, K] float32.
    """

    labels: np.ndarray

    def __init__(self, source: Source) -> None:
        """Reads the annotations of all images once.

        Raises:
            DataError: If an annotation has no size and the image's header cannot be read.
        """
        super().__init__(source)
        self.dense, self.max_objects = False, 0
        self.labels = np.zeros((len(source), len(source.classes)), np.float32)
        for index in range(len(source)):
            self.labels[index, source.object_classes(index)[0]] = 1.0

    def __getitem__(self, index: int) -> Sample:
        """Reads an image with its targets."""
        self.check_index(index)
        return Sample(self.image(index)[0], index, label=self.label(index))

    def annotation(self, index: int) -> Annotation:
        """Returns the height and width of an image."""
        return super().annotation(index)._replace(objects=None)

    def known_objects(self, index: int) -> None:
        """An image has targets and no objects."""
        del index

    def describe(self, max_objects: int | None = None) -> str:
        """Reports the detection dataset, and how many images show each class."""
        found = super().describe(max_objects)
        return f"{found}\n{describe_labels('images by class', self.labels, self.classes)}"
