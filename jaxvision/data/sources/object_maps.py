"""The instance masks of a detection dataset as label maps."""

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.sample import VOID, Sample
from jaxvision.data.source import Annotation, Source, View

BACKGROUND = "background"


class ObjectMaps(View):
    """Pixels are of the class of the smallest object that covers them, or background, class 0.

    Crowds are void where no object covers them.
    """

    def __init__(self, source: Source) -> None:
        """Takes a dataset of objects with masks.

        Raises:
            DataError: If there are too many classes for a label map.
        """
        super().__init__(source)
        if len(source.classes) + 1 >= VOID:
            raise DataError(
                f"{source.name(0)}: a label map holds at most {VOID - 1} classes, got "
                f"{len(source.classes) + 1}"
            )
        self.classes = (BACKGROUND, *source.classes)
        self.dense, self.max_objects = True, 0

    def __getitem__(self, index: int) -> Sample:
        """Reads an image with its label map."""
        sample = self.source[index]
        label_map = np.zeros(sample.size, np.uint8)
        objects = sample.objects
        if objects is not None and objects.masks is not None:
            # The largest first, crowds before all: what comes later covers it.
            order = np.lexsort((-objects.area, ~objects.crowd))
            for i in order.tolist():
                label_map[objects.masks[i]] = VOID if objects.crowd[i] else objects.classes[i] + 1
        return sample.replace(objects=None, proposals=None, mask=label_map)

    def annotation(self, index: int) -> Annotation:
        """Returns the height and width of an image."""
        found = self.source.annotation(index)
        return Annotation(found.height, found.width)

    def known_objects(self, index: int) -> None:
        """Returns None: there are no objects any more."""
        return None
