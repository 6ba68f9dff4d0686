"""Some of the examples of another source."""

from collections.abc import Sequence

import numpy as np

from jaxvision.data.example import Annotation, DetectionExample, DetectionSource, lazy


class Subset:
    """Shows a source as if it had only some of its images.

    Attributes:
        classes: Class names, in the order of their indices.
        max_objects: The most objects that one image of the whole source has.
    """

    def __init__(self, source: DetectionSource, indices: Sequence[int] | np.ndarray) -> None:
        """Chooses images.

        Args:
            source: The whole.
            indices: Which of its images there are, in order.
        """
        self._source = lazy(source)
        self._indices = np.asarray(indices, np.int64)
        self.classes = source.classes
        self.max_objects = source.max_objects

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> DetectionExample:
        return self._source[int(self._indices[index])]

    def name(self, index: int) -> str:
        """Says which image that is."""
        return self._source.name(int(self._indices[index]))

    def describe(self, max_objects: int | None = None) -> str:
        """Reports how much of the whole there is, and on the whole."""
        whole = self._source.describe(max_objects)
        return f"{len(self):,} of {len(self._source):,} images of:\n{whole}"

    def annotation(self, index: int) -> Annotation:
        """Returns what is known of an image without its pixels."""
        return self._source.annotation(int(self._indices[index]))

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Reads an image, at a fraction of its size if that is faster."""
        return self._source.image(int(self._indices[index]), max_reduction)
