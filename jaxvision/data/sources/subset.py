"""Some images of a dataset."""

from collections.abc import Sequence

import numpy as np

from jaxvision.data.annotations import Repaired, Report
from jaxvision.data.sample import Sample
from jaxvision.data.source import Annotation, Source
from jaxvision.data.sources.labelled import describe_labels


class Subset(Source):
    """Some images of a dataset, in the order given; it reads no more than its source would.

    Attributes:
        classes: Class names, in the order of their indices: all those of the source.
        labels: Those of the images, where the source has them.
        max_objects: The most objects that one of the images has, crowds included; of the whole
            source where that does not know them without reading the images.
    """

    def __init__(self, source: Source, indices: Sequence[int] | np.ndarray) -> None:
        """Counts the objects, unless images would have to be read for that.

        Args:
            source: The whole dataset.
            indices: Which of its images.

        Raises:
            ValueError: If there is none, or one that the source does not have.
        """
        self._indices = np.asarray(indices, np.int64)
        if self._indices.ndim != 1 or not len(self._indices):
            raise ValueError(f"expected a list of at least one index, got {indices}")
        if self._indices.min() < 0 or self._indices.max() >= len(source):
            raise ValueError(
                f"indices must be in [0, {len(source)}), got {self._indices.min()} to "
                f"{self._indices.max()}"
            )
        self.classes, self.dense = source.classes, source.dense
        self.labels = None if source.labels is None else source.labels[self._indices]
        self.max_objects = source.max_objects
        self._source = source
        self._report: Report | None = None
        found = [source.known_objects(index) for index in self._indices.tolist()]
        known = [each for each in found if each is not None]
        if len(known) == len(found):
            self.max_objects = max(len(classes) for classes, _ in known)
            trained = [classes[~crowd] for classes, crowd in known]
            self._report = Report(
                counts=np.array([len(classes) for classes in trained]),
                classes=source.classes,
                per_class=np.bincount(np.concatenate(trained), minlength=len(source.classes)),
                crowds=sum(int(crowd.sum()) for _, crowd in known),
                outside=Repaired(0, ()),
                degenerate=Repaired(0, ()),
            )

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Sample:
        """Reads an image with what belongs to it."""
        return self._source[self._at(index)].replace(index=index)

    def annotation(self, index: int) -> Annotation:
        """Returns what is known of an image without its pixels."""
        return self._source.annotation(self._at(index))

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Reads an image, at a fraction of its size if that is faster."""
        return self._source.image(self._at(index), max_reduction)

    def encoded(self, index: int) -> bytes:
        """Returns an image as it is stored, as PNG if it is not."""
        return self._source.encoded(self._at(index))

    def known_objects(self, index: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Returns the classes and crowd flags of an image's objects, as the source does."""
        return self._source.known_objects(self._at(index))

    def name(self, index: int) -> str:
        """Names an image as the source does."""
        return self._source.name(self._at(index))

    def describe(self, max_objects: int | None = None) -> str:
        """Reports what these images hold, a few lines."""
        part = f"{len(self):,} of {len(self._source):,} images"
        if self.labels is not None:
            whole = self._source.describe().partition(":")[0]
            return describe_labels(f"{part} of {whole}", self.labels, self.classes)
        if self._report is None:
            return f"{part} of: {self._source.describe()}"
        repaired = [f"in all {len(self._source):,}: {line}" for line in self.repaired()]
        return "\n".join([f"{part}:", self._report.text(max_objects), *repaired])

    def repaired(self) -> list[str]:
        """Reports what was repaired in the whole dataset."""
        return self._source.repaired()

    def _at(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(f"index must be in [0, {len(self)}), got {index}")
        return int(self._indices[index])
